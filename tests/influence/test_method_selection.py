import pytest
import torch

from mmal.influence.affine import NotAffine
from mmal.influence.method_selection import MethodSelector, Reference, is_informative

DIRECTION = torch.tensor([2.0, 1.0])
GRADIENTS = {0: torch.tensor([3.0, 0.0]), 1: torch.tensor([0.0, 4.0])}
EXACT = torch.tensor([6.0, 4.0])
WRONG = torch.tensor([6.0, 4.1])
INFORMATIVE = Reference(GRADIENTS, informative=True)
UNINFORMATIVE = Reference(GRADIENTS, informative=False)


def raising(error):
    def method():
        raise error
    return method


def giving(values):
    return lambda: values


@pytest.fixture
def log():
    return []


def test_the_first_method_that_agrees_is_taken_and_its_values_are_returned(log):
    selector = MethodSelector(log.append)
    methods = {'slow': giving(EXACT + 1e-4), 'slower': raising(AssertionError('is not run'))}
    selection = selector.select(methods, INFORMATIVE, DIRECTION)
    assert selection.method == selector.method == 'slow'
    assert torch.equal(selection.values, EXACT + 1e-4)
    assert selection.rejections == ()
    assert log == [selection]


def test_a_method_with_other_values_is_rejected(log):
    methods = {'fast': giving(WRONG), 'slow': giving(EXACT)}
    selection = MethodSelector(log.append).select(methods, INFORMATIVE, DIRECTION)
    assert selection.method == 'slow'
    (rejection,) = selection.rejections
    assert (rejection.method, rejection.error) == ('fast', None)
    assert rejection.values == pytest.approx([6.0, 4.1])
    assert rejection.expected == [6.0, 4.0]


def test_the_tolerance_is_relative_to_direction_and_gradient(log):
    near = EXACT + torch.tensor([0.0, 1e-3 * float(DIRECTION.norm()) * 4 * 0.9])
    assert MethodSelector(log.append, 'slow').select({'fast': giving(near)}, INFORMATIVE, DIRECTION).method == 'fast'
    strict = MethodSelector(log.append, 'slow', rtol=1e-4)
    assert strict.select({'fast': giving(near)}, INFORMATIVE, DIRECTION).method == 'slow'


@pytest.mark.parametrize('error', [NotAffine('no'), NotImplementedError('no'), RuntimeError('no\nlong story')])
def test_a_method_that_does_not_apply_is_rejected_with_the_first_line_of_its_error(log, error):
    methods = {'fast': raising(error), 'slow': giving(EXACT)}
    selection = MethodSelector(log.append).select(methods, INFORMATIVE, DIRECTION)
    assert [(r.method, r.error, r.values) for r in selection.rejections] == [('fast', 'no', [])]


def test_an_error_without_a_message_is_named_by_its_class(log):
    methods = {'fast': raising(NotImplementedError()), 'slow': giving(EXACT)}
    selection = MethodSelector(log.append).select(methods, INFORMATIVE, DIRECTION)
    assert selection.rejections[0].error == 'NotImplementedError'


def test_any_other_error_is_raised(log):
    with pytest.raises(KeyError):
        MethodSelector(log.append, 'slow').select({'fast': raising(KeyError('bug'))}, INFORMATIVE, DIRECTION)
    selector = MethodSelector(log.append, 'slow', errors=(NotImplementedError,))
    with pytest.raises(RuntimeError, match='out of memory'):
        selector.select({'fast': raising(RuntimeError('out of memory'))}, INFORMATIVE, DIRECTION)


def test_the_fallback_is_taken_unchecked(log):
    selection = MethodSelector(log.append, fallback='slow').select({'fast': giving(WRONG)}, INFORMATIVE, DIRECTION)
    assert (selection.method, selection.values) == ('slow', None)


def test_without_a_fallback_it_is_an_error_that_no_method_agrees_and_the_log_says_why(log):
    selector = MethodSelector(log.append)
    with pytest.raises(RuntimeError, match='is the loss deterministic'):
        selector.select({'fast': giving(WRONG)}, INFORMATIVE, DIRECTION)
    assert log[0].method is None
    assert [r.method for r in log[0].rejections] == ['fast']
    assert not selector.settled


def test_an_informative_batch_settles_the_method(log):
    selector = MethodSelector(log.append)
    selector.select({'fast': giving(EXACT)}, UNINFORMATIVE, DIRECTION)
    assert not selector.settled
    selector.select({'fast': giving(EXACT)}, INFORMATIVE, DIRECTION)
    assert selector.settled
    assert [selection.changed for selection in log] == [True, False]


def test_a_later_batch_may_show_that_the_method_is_wrong(log):
    selector = MethodSelector(log.append, fallback='slow')
    selector.select({'fast': giving(EXACT)}, UNINFORMATIVE, DIRECTION)
    selector.select({'fast': giving(WRONG)}, INFORMATIVE, DIRECTION)
    assert selector.method == 'slow'
    assert [selection.changed for selection in log] == [True, True]


def test_after_the_last_check_the_method_is_settled_whatever_the_batch_shows(log):
    selector = MethodSelector(log.append, max_checks=2)
    selector.select({'fast': giving(EXACT)}, UNINFORMATIVE, DIRECTION)
    assert not selector.settled
    selector.select({'fast': giving(EXACT)}, UNINFORMATIVE, DIRECTION)
    assert selector.settled


def test_without_a_limit_checks_go_on(log):
    selector = MethodSelector(log.append)
    for _ in range(20):
        selector.select({'fast': giving(EXACT)}, UNINFORMATIVE, DIRECTION)
    assert not selector.settled


def test_a_derivative_that_is_not_finite_agrees_with_anything(log):
    reference = Reference({0: torch.tensor([float('nan'), 0.0])}, informative=False)
    assert MethodSelector(log.append).select({'fast': giving(EXACT)}, reference, DIRECTION).method == 'fast'


def test_rows_that_a_method_did_not_compute_are_not_compared(log):
    selection = MethodSelector(log.append).select({'first alone': giving(WRONG[:1])}, INFORMATIVE, DIRECTION)
    assert selection.method == 'first alone'


def test_rows_of_the_reference_are_rows_of_the_batch(log):
    reference = Reference({2: GRADIENTS[1]}, informative=True)
    values = torch.tensor([9.0, 9.0, 4.0])
    assert MethodSelector(log.append).select({'fast': giving(values)}, reference, DIRECTION).method == 'fast'
    other_order = {'fast': giving(values.flip(0))}
    assert MethodSelector(log.append, 'slow').select(other_order, reference, DIRECTION).method == 'slow'


def test_a_method_can_be_settled_without_a_check(log):
    selector = MethodSelector(log.append, fallback='slow')
    selector.settle('slow', 'the head has a loss of its own')
    assert selector.settled
    assert selector.method == 'slow'
    assert (log[0].reason, log[0].changed) == ('the head has a loss of its own', True)


@pytest.mark.parametrize(('gradient', 'expected'), [
    ([0.0, 1.0], True), ([0.0, 0.0], False), ([float('nan'), 1.0], False), ([float('inf'), 1.0], False)])
def test_which_gradients_show_anything(gradient, expected):
    assert is_informative(torch.tensor(gradient)) is expected


def test_two_batches_are_asked_before_a_method_is_given_up(log):
    selector = MethodSelector(log.append, fallback='slow', max_differences=2)
    selector.select({'fast': giving(WRONG)}, INFORMATIVE, DIRECTION)
    assert (selector.method, selector.settled) == ('slow', False)
    selector.select({'fast': giving(WRONG)}, INFORMATIVE, DIRECTION)
    assert (selector.method, selector.settled) == ('slow', True)


def test_a_method_that_differed_once_must_agree_three_times(log):
    selector = MethodSelector(log.append, fallback='slow', max_differences=2)
    selector.select({'fast': giving(WRONG)}, INFORMATIVE, DIRECTION)
    for settled in (False, False, True):
        selector.select({'fast': giving(EXACT)}, INFORMATIVE, DIRECTION)
        assert (selector.method, selector.settled) == ('fast', settled)


def test_a_method_that_stays_in_doubt_is_not_taken(log):
    selector = MethodSelector(log.append, fallback='slow', max_checks=3, max_differences=2)
    selector.select({'fast': giving(WRONG)}, INFORMATIVE, DIRECTION)
    for _ in range(2):
        selector.select({'fast': giving(EXACT)}, INFORMATIVE, DIRECTION)
    assert (selector.method, selector.settled) == ('slow', True)
    assert log[-1].reason == 'fast stays in doubt'


def test_a_method_that_is_given_up_is_not_run_again(log):
    selector = MethodSelector(log.append, max_differences=2)
    for _ in range(2):
        selector.select({'fast': giving(WRONG), 'exact': giving(EXACT)}, UNINFORMATIVE, DIRECTION)
    methods = {'fast': raising(AssertionError('is not run')), 'exact': giving(EXACT)}
    assert selector.select(methods, INFORMATIVE, DIRECTION).method == 'exact'
