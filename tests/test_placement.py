from hypothesis import given, settings
from hypothesis import strategies as st

from exphub_magics.figures import placement

SIZE = (620, 400)
POINTS = st.tuples(st.floats(100, 520), st.floats(100, 300))


def box(point, offset, name):
    """Left, top, right and bottom of a name, a letter 7 wide and a line 16 high."""
    x, y, width = point[0] + offset[0], point[1] + offset[1], 7 * len(name)
    left = x if offset[0] > 0 else x - width
    return left, y - 8, left + width, y + 8


def apart(one, other):
    return one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]


@settings(max_examples=50, deadline=None)
@given(st.lists(POINTS, min_size=1, max_size=5))
def test_names_stay_inside_and_cover_neither_points_nor_each_other(points):
    names = [f"n{number}@1" for number in range(len(points))]
    dots = [(x - 6, y - 6, x + 6, y + 6) for x, y in points]
    offsets = placement.offsets(points, names, dots, SIZE)
    boxes = [box(*each) for each in zip(points, offsets, names, strict=True)]
    for place, one in enumerate(boxes):
        assert one[0] >= 0
        assert one[2] <= SIZE[0]
        assert all(apart(one, other) for other in [*dots, *boxes[:place]])


def test_a_name_that_nothing_is_near_to_goes_to_the_right_of_its_point():
    ((across, down),) = placement.offsets([(300, 200)], ["first@1"], [(294, 194, 306, 206)], SIZE)
    assert (across, abs(down)) == (12, 11)


def test_a_name_at_the_right_edge_goes_to_the_left():
    ((across, _),) = placement.offsets([(610, 200)], ["first@1"], [], SIZE)
    assert across < 0
