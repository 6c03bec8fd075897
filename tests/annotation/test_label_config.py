"""Label configs that people have edited."""

import pytest

from mmal.annotation.batch import Batch
from mmal.annotation.formats import label_studio
from mmal.annotation.label_config import find_config_difference

CONFIG = label_studio.config(Batch('x', ['cat', 'dog'], [dict(id=1, name='cat')], '/images', []))


@pytest.mark.parametrize('edit', [('"cat"', '"cat" background="red" hotkey="c"'), ('zoom="true"', 'zoom="false"'),
                                  ('<View>', '<View><Header value="Cats and dogs"/>')])
def test_what_labels_do_not_depend_on_may_be_edited(edit):
    assert edit[0] in CONFIG
    assert find_config_difference(CONFIG.replace(*edit), CONFIG) is None


def test_the_order_of_classes_is_free():
    swapped = CONFIG.replace('"cat"', '"?"').replace('"dog"', '"cat"').replace('"?"', '"dog"')
    assert swapped != CONFIG
    assert find_config_difference(swapped, CONFIG) is None


@pytest.mark.parametrize(('edit', 'message'), [
    (('"dog"', '"Dog"'), "expected the classes ['cat', 'dog'], found ['Dog', 'cat']"),
    (('RectangleLabels', 'PolygonLabels'), 'expected a tag named \'label\' <RectangleLabels toName="image">, found <'),
    (('"$image"', '"$picture"'), 'found <Image value="$picture">'),
    (('name="label"', 'name="tag"'), "expected a tag named 'label' <RectangleLabels toName=\"image\">, found none"),
    (('</View>', '<TextArea name="note" toName="image"/></View>'), "expected tags that take answers named ['label']"),
    (('</View>', ''), 'is not XML')])
def test_what_labels_depend_on_is_told(edit, message):
    assert edit[0] in CONFIG
    assert message in find_config_difference(CONFIG.replace(*edit), CONFIG)
