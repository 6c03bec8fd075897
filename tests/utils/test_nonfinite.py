import pytest

from mmal.utils.nonfinite import check_nonfinite_share


@pytest.mark.parametrize(('bad', 'share'), [([], 0.0), ([1], 0.1), ([1, 2, 3], 0.3)])
def test_few_are_tolerated(bad, share):
    check_nonfinite_share(bad, 10, share, 'reference set')


@pytest.mark.parametrize(('bad', 'share'), [([7], 0.0), ([7, 2], 0.1), ([7, *range(9)], 1.0)])
def test_more_than_the_share_and_all_are_not(bad, share):
    message = rf'{len(bad)} of 10 images of the reference set .*\(first: 7\), more than max_nonfinite = {share:g}\.'
    with pytest.raises(FloatingPointError, match=message):
        check_nonfinite_share(bad, 10, share, 'reference set')
