"""What every Spec does: it reads plain data, or says all that is wrong with it, where, and what would be right."""

from datetime import date
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field

from eksml.errors import Problem, SpecError
from eksml.spec import Cidr, Flag, Name, PositiveCount, Spec, parse
from refusals import problems


class Cat(Spec):
    kind: Literal["cat"] = "cat"
    lives: PositiveCount = 9
    """Lives that are left."""


class Dog(Spec):
    kind: Literal["dog"] = "dog"
    is_good: Flag = True
    """Whether it is good."""


class Bed(Spec):
    width: PositiveCount
    sleepers: PositiveCount

    def rules(self):
        if self.sleepers > self.width:
            yield Problem(("sleepers",), f"{self.sleepers} given, must be at most {self.width}")


class House(Spec):
    name: Name
    """Name of the house."""
    pets: dict[str, Annotated[Cat | Dog, Field(discriminator="kind")]] = Field(default_factory=dict)
    """Pets by name."""
    ranges: tuple[Cidr, ...] = ()
    """Address ranges."""
    most_pets: PositiveCount = 3
    """Most pets."""
    beds: tuple[Bed, ...] = ()
    """Beds."""

    def rules(self):
        if len(self.pets) > self.most_pets:
            yield Problem(("pets",), f"{len(self.pets)} given, must be at most {self.most_pets}")


def test_data_in_the_words_of_the_stack_file_becomes_a_spec() -> None:
    house = parse(House, {"name": "home", "pets": {"tom": {"kind": "cat", "lives": 7}}, "mostPets": 2})
    assert house.most_pets == 2
    assert house.pets["tom"] == Cat(lives=7)


def test_settings_are_the_words_that_a_spec_was_made_from() -> None:
    data = {"name": "home", "pets": {"rex": {"kind": "dog", "isGood": True}}, "ranges": ["10.0.0.0/8"], "mostPets": 2}
    data["beds"] = [{"width": 2, "sleepers": 1}]
    assert parse(House, data).settings() == data


def test_names_of_python_are_unknown_in_a_stack_file() -> None:
    assert problems(House, {"name": "home", "most_pets": 2}) == ["most_pets: unknown key, did you mean 'mostPets'?"]


@pytest.mark.parametrize(
    ("data", "line"),
    [
        ({}, "name: missing (Name of the house)"),
        ({"name": 7}, 'name: 7 given, must be text: put it in quotes, "7"'),
        ({"name": None}, "name: nothing given, must be text (Name of the house)"),
        ({"name": "home", "pets": []}, "pets: [] given, must be a mapping (Pets by name)"),
        ({"name": "home", "pets": {"x": {}}}, "pets.x: missing its kind"),
        ({"name": "home", "pets": {"x": 1}}, "pets.x: 1 given, must be a mapping"),
        (
            {"name": "home", "pets": {"x": {"kind": "catt"}}},
            "pets.x: kind 'catt' does not exist, must be cat or dog, did you mean 'cat'?",
        ),
        ({"name": "home", "mostPets": 0}, "mostPets: 0 given, must be at least 1 (Most pets)"),
        (
            {"name": "home", "mostPets": 1.5},
            "mostPets: 1.5 given, must be a whole number (Most pets)",
        ),
        (
            {"name": "home", "mostPets": "2"},
            "mostPets: '2' given, must be a whole number (Most pets)",
        ),
        (
            {"name": "home", "mostPets": True},
            "mostPets: true given, must be a whole number (Most pets)",
        ),
        (
            {"name": "home", "pets": {"x": {"kind": "dog", "isGood": "yes"}}},
            "pets.x.isGood: 'yes' given, must be true or false (Whether it is good)",
        ),
        ({"name": "home", "ranges": ["here"]}, "ranges[0]: 'here' given, must be an IPv4 range like 10.0.0.0/16"),
        (
            {"name": "home", "pets": {"a.b/c": {"kind": "cat", "live": 1}}},
            "pets[\"a.b/c\"].live: unknown key, did you mean 'lives'?",
        ),
        (
            {"name": "home", "pets": {"x": {"kind": "cat", "zzz": 1}}},
            "pets.x.zzz: unknown key, known here: kind, lives",
        ),
    ],
)
def test_a_problem_says_where_it_is_what_was_given_and_what_would_be_right(data: dict[str, Any], line: str) -> None:
    assert problems(House, data) == [line]


@pytest.mark.parametrize(("data", "given"), [([1], "[1]"), (None, "nothing"), ("home", "'home'"), (7, "7")])
def test_what_is_no_mapping_is_no_spec(data: Any, given: str) -> None:
    assert problems(House, data) == [f"{given} given, must be a mapping"]


@pytest.mark.parametrize(
    ("key", "where"), [(None, "None"), (1.5, '["1.5"]'), (date(2026, 1, 2), '["datetime.date(2026, 1, 2)"]')]
)
def test_a_key_that_is_no_text_is_told_with_every_other_problem(key: Any, where: str) -> None:
    first, *others = problems(House, {key: 1, "pets": {key: {"kind": "cat", "lives": 0}}})
    assert first == f"{where}: this key is no text: put it in quotes"
    inner = f"pets.{where}" if key is None else f"pets{where}"
    assert [line.partition(": ")[0] for line in others] == ["name", f"{inner}.lives", inner]


def test_every_problem_is_told_at_once_with_the_rules_across_fields_that_can_be_judged() -> None:
    pets = {name: {"kind": "cat"} for name in ("a", "b", "c", "d")} | {"e": {"kind": "fish"}}
    assert problems(House, {"nam": "home", "pets": pets, "ranges": ["x"]}) == [
        "nam: unknown key, did you mean 'name'?",
        "name: missing (Name of the house)",
        "pets.e: kind 'fish' does not exist, must be cat or dog",
        "ranges[0]: 'x' given, must be an IPv4 range like 10.0.0.0/16",
    ]
    assert problems(House, {"name": "home", "pets": pets | {"e": {"kind": "dog"}}, "mostPets": 4, "colour": "red"}) == [
        "colour: unknown key, known here: name, pets, ranges, mostPets, beds",
        "pets: 5 given, must be at most 4",
    ]


def test_the_rules_of_specs_in_lists_are_judged_too() -> None:
    beds = [{"width": 2, "sleepers": 2}, {"width": 1, "sleepers": 2}, {"width": 0, "sleepers": 9}]
    assert problems(House, {"name": "home", "beds": beds}) == [
        "beds[1].sleepers: 2 given, must be at most 1",
        "beds[2].width: 0 given, must be at least 1",
    ]


def test_a_pattern_without_a_meaning_is_told_as_it_is() -> None:
    class Plain(Spec):
        code: Annotated[str, Field(pattern="^[0-9]+$")]

    assert problems(Plain, {"code": "x"}) == ["code: 'x' given, must be text that matches ^[0-9]+$"]


def test_a_long_value_is_cut_in_the_text() -> None:
    (line,) = problems(House, {"name": "home", "mostPets": "x" * 500})
    assert len(line) < 200
    assert "…" in line


def test_a_spec_that_is_made_in_python_raises_the_same_error_in_the_words_of_python() -> None:
    with pytest.raises(SpecError, match=r"most_pets: 0 given, must be at least 1"):
        House(name="home", most_pets=0)
    with pytest.raises(SpecError, match="pets: 2 given, must be at most 1"):
        House(name="home", pets={"a": Cat(), "b": Dog()}, most_pets=1)


def test_a_spec_cannot_be_changed() -> None:
    house = House(name="home")
    with pytest.raises(Exception, match="frozen"):
        house.most_pets = 4
