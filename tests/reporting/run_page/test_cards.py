from mmal.reporting.run_page.cards import gallery
from mmal.reporting.run_page.run_files import RunFiles


def test_a_card_says_what_is_known_and_draws_both_kinds_of_boxes(run_dir, data):
    run = RunFiles(run_dir([1, 2, 3]), data)
    found = gallery(run, run.rounds[0], 2, 320, True)
    assert (found.title, len(found.cards), found.more, found.boxes) == ('round 0', 2, 1, True)
    assert found.summary == '3 images were chosen by influence, more negative is more helpful. They are labeled.'
    card = found.cards[0]
    assert card.facts == dict(influence='−5', predicted='<cat>', revealed='<cat>')
    assert card.picture.alt == 'Image 1; predicted: <cat>; revealed: <cat>'
    assert [(b.label, b.guessed, b.x) for b in card.picture.boxes] == [('<cat>? 88%', True, 12), ('<cat>', False, 10)]
    assert card.nearest_text == '0, at distance 1.25'
    assert card.nearest.alt == 'Labeled image 0'


def test_labels_of_guesses_on_one_object_stand_below_each_other(run_dir, data):
    run = RunFiles(run_dir([1]), data)
    run.rounds[0].chosen[0]['predictions'] += [dict(bbox=[14, 8, 20, 20], label=0, score=0.4),
                                               dict(bbox=[60, 8, 9, 9], label=0, score=0.3)]
    boxes = gallery(run, run.rounds[0], 1, 320, True).cards[0].picture.boxes
    assert [(b.label, b.line) for b in boxes if b.guessed] == [('<cat>? 88%', 0), ('dog? 40%', 1), ('dog? 30%', 0)]


def test_before_labeling_nothing_is_revealed_and_small_galleries_have_no_neighbours(run_dir, data):
    run = RunFiles(run_dir([1], upto='describe'), data)
    found = gallery(run, run.rounds[0], 9, 160, False)
    assert 'not labeled yet' in found.summary
    assert set(found.cards[0].facts) == {'influence', 'predicted'}
    assert [b.guessed for b in found.cards[0].picture.boxes] == [True]
    assert found.cards[0].nearest is None


def test_a_labeled_image_without_a_box_holds_nothing(run_dir, data):
    run = RunFiles(run_dir([1], lost=True), data)
    run.labels[1] = []
    assert gallery(run, run.rounds[0], 9, 160, True).cards[0].facts == dict(influence='−5', revealed='nothing')
