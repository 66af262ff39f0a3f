import math

import numpy as np
import pytest
from expertcache.instances.scenario import Scenario
from expertcache.instances.sites import draw_geography, import_sites, read_positions
from expertcache.problem.errors import InputError
from expertcache.problem.instance_file import instance_bytes

SCENARIO = Scenario(servers=2, users=3, layers=1)


@pytest.fixture
def write(tmp_path):
    def write(text, name="x.csv"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def table(degrees):
    return "latitude,longitude\n" + "".join(f"{a!r},{b!r}\n" for a, b in degrees)


def haversine_m(a, b):
    (lat_a, lon_a), (lat_b, lon_b) = np.radians(a), np.radians(b)
    h = (
        math.sin((lat_b - lat_a) / 2) ** 2
        + math.cos(lat_a) * math.cos(lat_b) * math.sin((lon_b - lon_a) / 2) ** 2
    )
    return 2 * 6_371_008.8 * math.asin(math.sqrt(h))


@pytest.mark.parametrize(
    "text",
    [
        "latitude,longitude\n-37.8,144.9\n10,20\n",
        "LATITUDE,Longitude\n-37.8,144.9\n10,20\n",
        " Latitude , longitude \r\n -37.8 , 144.9 \r\n10,20\r\n",
        "id,longitude,other,latitude\n7,144.9,x,-37.8\n8,20,y,10",
        'latitude,longitude\n"-37.8","144.9"\n\n10,20\n\n',
        "\ufefflatitude,longitude\n-37.8,144.9\n10,20\n",
        "latitude,longitude\n-37.8,144.9,\n10,20,,\n",
        'note,note,latitude,longitude\n"two\nlines",a,-37.8,144.9\n,,10,20\n',
    ],
)
def test_forms_of_the_same_table(text, write):
    degrees, names = read_positions(write(text))
    assert degrees.tolist() == [[-37.8, 144.9], [10, 20]]
    assert len(names) == 2


def test_names_come_from_the_name_then_the_id(write):
    both = "SITE_ID,LATITUDE,LONGITUDE,NAME\n7,1,2,Spring St \n"
    assert read_positions(write(both))[1] == ["Spring St"]
    assert read_positions(write("site_id,latitude,longitude\n7,1,2\n"))[1] == ["7"]
    assert read_positions(write("latitude,longitude\n1,2\n3,4\n"))[1] == ["site-1", "site-2"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no rows"),
        ("latitude,longitude\n", "no rows"),
        ("latitude,longitude\n\n\n", "no rows"),
        ("latitude,lon\n1,2\n", "no column 'longitude'"),
        ("lat,longitude\n1,2\n", "no column 'latitude'"),
        ("latitude,longitude\n1,2\nnorth,2\n", "line 3"),
        ("latitude,longitude\n1,\n", "line 2"),
        ("latitude,longitude\n1\n", "line 2"),
        # A row that ends before the name.
        ("latitude,longitude,name\n1,2\n", "line 2"),
        ("latitude,longitude\n\n1,2\n91,2\n", "line 4.*out of range"),
        ("latitude,longitude\n1,-180.5\n", "line 2.*out of range$"),
        ("latitude,longitude\n144.9,-37.8\n", "line 2.*out of range: are the two swapped"),
        ("latitude,longitude,Latitude\n1,2,3\n", "the column 'latitude' is repeated"),
        ("latitude,longitude,NAME,name\n1,2,a,b\n", "the column 'name' is repeated"),
        # Decimal commas.
        ("latitude,longitude\n48,137,11,575\n", "line 2: 4 values, but 2 columns"),
        ("latitude,longitude\nnan,2\n", "line 2"),
        ("latitude,longitude\n1,inf\n", "line 2"),
        ('latitude,longitude\n"1,2\n', "not a CSV file"),
        (b"latitude,longitude\n\xff,2\n", "not a CSV file"),
    ],
)
def test_broken_tables(text, message, write):
    with pytest.raises(InputError, match=rf"x\.csv: .*({message})"):
        read_positions(write(text))


def test_missing_files(tmp_path):
    with pytest.raises(InputError, match="nothing"):
        read_positions(tmp_path / "nothing.csv")


def test_the_range_includes_its_ends(write):
    degrees, _ = read_positions(write("latitude,longitude\n90,-180\n-90,180\n"))
    assert degrees.tolist() == [[90, -180], [-90, 180]]


def test_too_few_rows(write):
    sites, points = write(table([(1, 2)] * 2), "s.csv"), write(table([(1, 2)] * 3), "p.csv")
    draw_geography(sites, points, servers=2, users=3, seed=0)
    with pytest.raises(InputError, match=r"s\.csv: has 2 positions, cannot draw 3"):
        draw_geography(sites, points, servers=3, users=3, seed=0)
    with pytest.raises(InputError, match=r"p\.csv: has 3 positions, cannot draw 4"):
        draw_geography(sites, points, servers=2, users=4, seed=0)


@pytest.mark.parametrize("latitude", [-37.81, 0.0, 1.35, 60.17])
def test_distances_agree_with_the_sphere(latitude, write):
    # A city of about 10 km.
    rng = np.random.default_rng(0)
    side = np.array([0.09, 0.09 / math.cos(math.radians(latitude))])
    degrees = np.array([latitude, 24.94]) + side * (rng.random((12, 2)) - 0.5)
    path = write(table(degrees.tolist()))
    drawn = draw_geography(path, path, servers=12, users=12, seed=0)
    site, point = drawn.meta["site_rows"], drawn.meta["point_rows"]
    assert sorted(site) == sorted(point) == list(range(12))
    for a in range(12):
        for b in range(12):
            metres = math.dist(drawn.server_position_m[a], drawn.user_position_m[b])
            expected = haversine_m(degrees[site[a]], degrees[point[b]])
            assert metres == pytest.approx(expected, rel=0.005, abs=0.01)


def test_directions(write):
    sites = write(table([(10, 20), (10.01, 20), (10, 20.01)]))
    drawn = draw_geography(sites, sites, servers=3, users=1, seed=0)
    order = np.argsort(drawn.meta["site_rows"])
    first, north, east = drawn.server_position_m[order]
    assert first[0] == north[0] < east[0]
    assert first[1] == east[1] < north[1]
    assert np.allclose(drawn.server_position_m.mean(axis=0), 0, atol=1e-2)


def test_a_city_on_the_date_line(write):
    # Taveuni: the two sites are 2 km apart, not around the world.
    sites = write(table([(-16.8, 179.99), (-16.8, -179.99)]))
    drawn = draw_geography(sites, sites, servers=2, users=1, seed=0)
    assert math.dist(*drawn.server_position_m) == pytest.approx(
        haversine_m((-16.8, 179.99), (-16.8, -179.99)), rel=0.005
    )


def test_draws_are_without_repetition_and_recorded(write):
    degrees = [(i / 100, 20) for i in range(10)]
    sites, points = write(table(degrees), "s.csv"), write(table(degrees), "p.csv")
    drawn = draw_geography(sites, points, servers=4, users=6, seed=3)
    again = draw_geography(sites, points, servers=4, users=6, seed=3)
    other = draw_geography(sites, points, servers=4, users=6, seed=4)
    assert np.array_equal(drawn.server_position_m, again.server_position_m)
    assert np.array_equal(drawn.user_position_m, again.user_position_m)
    assert drawn.meta == again.meta != other.meta
    assert drawn.meta["sites"] == "s.csv"
    assert drawn.meta["points"] == "p.csv"
    for rows, count in (("site_rows", 4), ("point_rows", 6)):
        assert len(set(drawn.meta[rows])) == len(drawn.meta[rows]) == count
    assert drawn.server_names == tuple(f"site-{row + 1}" for row in drawn.meta["site_rows"])
    # The origin is the centre of all sites, not of the drawn ones.
    assert drawn.meta["centre_degrees"] == pytest.approx([0.045, 20])


def test_import_sites(write):
    degrees = [(10 + i / 1000, 20) for i in range(6)]
    sites, points = write(table(degrees), "s.csv"), write(table(degrees), "p.csv")
    instance = import_sites(SCENARIO, sites, points, seed=1, name="city")
    assert (instance.name, instance.servers, instance.users) == ("city", 2, 3)
    assert instance.meta["generator"] == "sites"
    assert instance.meta["seed"] == 1
    assert instance.meta["geography"]["sites"] == "s.csv"
    assert instance.requests.rate.sum() == pytest.approx(1, abs=1e-6)
    assert np.isfinite(instance.server_latency_s).any()
    again = import_sites(SCENARIO, sites, points, seed=1, name="city")
    assert instance_bytes(again) == instance_bytes(instance)
    other = import_sites(SCENARIO, sites, points, seed=2, name="city")
    assert instance_bytes(other) != instance_bytes(instance)
