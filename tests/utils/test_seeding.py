from mmal.utils.seeding import derive_seed, uniform


def test_numbers_and_seeds_never_change():
    assert derive_seed(0, 'train/1') == 107832787
    assert uniform('b', 1, 'y') == 0.2792805853292548


def test_each_purpose_seed_and_image_has_its_own():
    assert len({derive_seed(seed, purpose) for seed in range(3) for purpose in 'ab'}) == 6
    numbers = {uniform(image_id, seed, purpose) for image_id in (1, '1') for seed in range(3) for purpose in 'ab'}
    assert len(numbers) == 12
    assert all(0 <= number < 1 for number in numbers)
