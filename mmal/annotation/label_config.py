"""Compare label configs of Label Studio in what labels depend on."""

from __future__ import annotations

from xml.etree import ElementTree

from .formats.label_studio import CONTROL, OBJECT


def find_config_difference(actual: str, expected: str) -> str | None:
    """How a label config differs from another in what labels depend on.

    Colors, hotkeys, help texts and the order of classes are the user's.

    Args:
        actual: Label config of a project, as XML.
        expected: Label config that a batch needs, as XML.

    Returns:
        The first difference, in words; None if there is none.
    """
    try:
        actual_parts = _relevant_parts(actual)
        expected_parts = _relevant_parts(expected)
    except ElementTree.ParseError as e:
        return f'it is not XML ({e})'
    for name, part in expected_parts.items():
        if actual_parts[name] != part:
            return f'expected {name} {part}, found {actual_parts[name]}'
    return None


def _relevant_parts(text: str) -> dict[str, str | list[str]]:
    """What labels depend on in a label config, by its name in messages."""
    tags = list(ElementTree.fromstring(text).iter())
    control = _find_tag(tags, CONTROL)
    image = _find_tag(tags, OBJECT)
    classes = []
    if control is not None:
        classes = [str(tag.get('value')) for tag in control if tag.tag in ('Label', 'Choice')]
    answering = [str(tag.get('name')) for tag in tags if tag.get('toName')]
    return {
        f'a tag named {OBJECT!r}': _describe_image(image),
        f'a tag named {CONTROL!r}': _describe_control(control),
        'the classes': sorted(classes),
        'tags that take answers named': sorted(answering),
    }


def _find_tag(tags: list[ElementTree.Element], name: str) -> ElementTree.Element | None:
    for tag in tags:
        if tag.get('name') == name:
            return tag
    return None


def _describe_image(image: ElementTree.Element | None) -> str:
    if image is None:
        return 'none'
    return f'<{image.tag} value="{image.get("value")}">'


def _describe_control(control: ElementTree.Element | None) -> str:
    if control is None:
        return 'none'
    choice = ''
    if control.tag == 'Choices':
        # choices without the attribute, or with any other value, take one class
        multiple = control.get('choice') == 'multiple'
        choice = f' choice="{"multiple" if multiple else "single"}"'
    return f'<{control.tag} toName="{control.get("toName")}"{choice}>'
