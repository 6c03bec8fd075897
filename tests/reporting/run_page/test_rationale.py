from mmal.reporting.run_page.rationale import selection_rationale


def test_layers_and_classes_that_push_and_what_works_against_them():
    parts = dict(layers={'head.cls': -9.0, 'head.reg': -0.99, 'head.ctr': 0.01, 'neck': -0.02},
                 classes={'dog': -8.0, 'background': -3.0, 'cat': 1.5, 'cow': 1.0, 'hen': -0.01})
    assert selection_rationale(dict(score=-10.0, parts=parts), 'influence') == (
        'Training on it would lower the reference loss, to first order: its gradient pushes most on head.cls (−9) and '
        'head.reg (−0.99), of an influence of −10; of the classes most on class dog (−8) and background (−3); against '
        'it works class cat (1.5).')


def test_a_positive_influence_is_said_to_harm():
    text = selection_rationale(dict(score=2.0, parts=dict(layers={'a': 3.0, 'b': -1.0}, classes={})), 'influence')
    assert text == ('Training on it would raise the reference loss, to first order: its gradient pushes most on a (3), '
                    'of an influence of 2.')


def test_without_parts_the_score_is_all_there_is():
    ranked = selection_rationale(dict(score=-0.12345, parts=None), 'score')
    assert ranked == 'Ranked by its score of −0.123, lower first.'
    assert selection_rationale(dict(score=None, parts=None), 'score') == 'No score is known.'
    nothing = dict(score=0.0, parts=dict(layers={'a': 0.0}, classes={}))
    text = selection_rationale(nothing, 'influence')
    assert text == 'Training on it would hardly change the reference loss, to first order.'
