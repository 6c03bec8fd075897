"""Which arguments a resumed run may change is declared by the class that has them."""

from mmal.engine.result_neutral import result_neutral_keys


def test_the_loop_and_its_oracle_declare_theirs():
    keys = result_neutral_keys(dict(type='mmal.ActiveLoop', oracle=dict(type='mmal.HumanOracle'),
                                    sampler=dict(type='mmal.RandomSampler')))
    assert {'train_cfg.rounds', 'train_cfg.stop*', 'train_cfg.oracle.partial'} <= set(keys)
    assert 'train_cfg.oracle.url' not in keys
    assert 'train_cfg.oracle.url' in result_neutral_keys(dict(oracle=dict(type='mmal.AnnotationServer')))


def test_a_component_that_declares_nothing_has_none():
    class Own:
        pass

    assert result_neutral_keys(dict(sampler=dict(type=Own))) == ()
