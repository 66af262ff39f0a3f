import math

import numpy as np
import pytest
from expertcache.instances.geography import read_geography
from expertcache.instances.places import Server, User, read_places
from expertcache.instances.scenario import Scenario
from expertcache.instances.sites import import_sites
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
        "Lat,lon\n-37.8,144.9\n10,20\n",
        "lng,lat\n144.9,-37.8\n20,10\n",
    ],
)
def test_forms_of_the_same_table(text, write):
    places, _ = read_places(write(text), Server)
    assert [(p.latitude, p.longitude) for p in places] == [(-37.8, 144.9), (10, 20)]


def test_names_come_from_the_name_then_the_id(write):
    def names(text):
        path = write(text)
        return read_geography(path, path).server_names

    both = "SITE_ID,LATITUDE,LONGITUDE,NAME\n7,1,2,Spring St \n8,1,2,\n"
    assert names(both) == ("Spring St", "site-2")
    assert names("site_id,latitude,longitude\n7,1,2\n") == ("7",)
    assert names("latitude,longitude\n1,2\n3,4\n") == ("site-1", "site-2")


def test_everything_that_a_table_tells(write):
    sites = (
        "name,lat,lng,capacity,flops,bytes_per_s,cloud_rtt_ms,Owner\na,1,2,24GiB,1e14,3e11,12.5,x\n"
    )
    (server,), unused = read_places(write(sites), Server)
    assert server == Server(
        name="a", latitude=1, longitude=2, memory="24GiB", flops=1e14, bytes_per_s=3e11,
        cloud_rtt_ms=12.5,
    )  # fmt: skip
    assert unused == ("Owner",)
    (user,), unused = read_places(write("x,y,category,local,memory\n-1,2,code,3,9\n"), User)
    assert user == User(x=-1, y=2, category="code", local=3)
    assert unused == ("memory",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no rows"),
        ("latitude,longitude\n", "no rows"),
        ("latitude,longitude\n\n\n", "no rows"),
        ("latitude,east\n1,2\n", "line 2: has no longitude"),
        ("north,longitude\n1,2\n", "line 2: has no latitude"),
        ("x,z\n1,2\n", "line 2: has no y"),
        ("name,z\n1,2\n", "row 1: has no position"),
        ("latitude,longitude,x,y\n1,2,3,4\n", "line 2: has degrees and metres"),
        ("x,y\n1,inf\n", "line 2: x and y: must be finite"),
        ("latitude,longitude,flops\n1,2,0\n", "line 2: flops: "),
        ("latitude,longitude,flops\n1,2,inf\n", "line 2: flops: "),
        ("latitude,longitude,cloud_rtt_ms\n1,2,-1\n", "line 2: cloud_rtt_ms: "),
        ("latitude,longitude\n1,2\nnorth,2\n", "line 3: latitude"),
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
    path = write(text)
    with pytest.raises(InputError, match=rf"x\.csv: .*({message})"):
        read_geography(path, path)


def test_missing_files(tmp_path):
    with pytest.raises(InputError, match="nothing"):
        read_places(tmp_path / "nothing.csv", Server)


def test_the_range_includes_its_ends(write):
    places, _ = read_places(write("latitude,longitude\n90,-180\n-90,180\n"), User)
    assert [(p.latitude, p.longitude) for p in places] == [(90, -180), (-90, 180)]


def test_too_few_rows(write):
    sites, points = write(table([(1, 2)] * 2), "s.csv"), write(table([(1, 2)] * 3), "p.csv")
    read_geography(sites, points, servers=2, users=3, seed=0)
    with pytest.raises(InputError, match=r"s\.csv: has 2 positions, cannot draw 3"):
        read_geography(sites, points, servers=3, users=3, seed=0)
    with pytest.raises(InputError, match=r"p\.csv: has 3 positions, cannot draw 4"):
        read_geography(sites, points, servers=2, users=4, seed=0)


@pytest.mark.parametrize("latitude", [-37.81, 0.0, 1.35, 60.17])
def test_distances_agree_with_the_sphere(latitude, write):
    # A city of about 10 km.
    rng = np.random.default_rng(0)
    side = np.array([0.09, 0.09 / math.cos(math.radians(latitude))])
    degrees = np.array([latitude, 24.94]) + side * (rng.random((12, 2)) - 0.5)
    path = write(table(degrees.tolist()))
    drawn = read_geography(path, path, servers=12, users=12, seed=0)
    site, point = drawn.meta["site_rows"], drawn.meta["point_rows"]
    assert sorted(site) == sorted(point) == list(range(12))
    for a in range(12):
        for b in range(12):
            metres = math.dist(drawn.server_position_m[a], drawn.user_position_m[b])
            expected = haversine_m(degrees[site[a]], degrees[point[b]])
            assert metres == pytest.approx(expected, rel=0.005, abs=0.01)


def test_directions(write):
    sites = write(table([(10, 20), (10.01, 20), (10, 20.01)]))
    drawn = read_geography(sites, sites, servers=3, users=1, seed=0)
    order = np.argsort(drawn.meta["site_rows"])
    first, north, east = drawn.server_position_m[order]
    assert first[0] == north[0] < east[0]
    assert first[1] == east[1] < north[1]
    assert np.allclose(drawn.server_position_m.mean(axis=0), 0, atol=1e-2)


def test_a_city_on_the_date_line(write):
    # Taveuni: the two sites are 2 km apart, not around the world.
    sites = write(table([(-16.8, 179.99), (-16.8, -179.99)]))
    drawn = read_geography(sites, sites, servers=2, users=1, seed=0)
    assert math.dist(*drawn.server_position_m) == pytest.approx(
        haversine_m((-16.8, 179.99), (-16.8, -179.99)), rel=0.005
    )


def test_draws_are_without_repetition_and_recorded(write):
    degrees = [(i / 100, 20) for i in range(10)]
    sites, points = write(table(degrees), "s.csv"), write(table(degrees), "p.csv")
    drawn = read_geography(sites, points, servers=4, users=6, seed=3)
    again = read_geography(sites, points, servers=4, users=6, seed=3)
    other = read_geography(sites, points, servers=4, users=6, seed=4)
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

    def build(seed):
        geography = read_geography(sites, points, servers=2, users=3, seed=seed)
        return import_sites(SCENARIO, geography, seed=seed, name="city")

    instance = build(1)
    assert (instance.name, instance.servers, instance.users) == ("city", 2, 3)
    assert instance.meta["generator"] == "sites"
    assert instance.meta["seed"] == 1
    assert instance.meta["geography"]["sites"] == "s.csv"
    assert instance.requests.rate.sum() == pytest.approx(1, abs=1e-6)
    assert np.isfinite(instance.server_latency_s).any()
    again = build(1)
    assert instance_bytes(again) == instance_bytes(instance)
    other = build(2)
    assert instance_bytes(other) != instance_bytes(instance)


def test_all_rows_in_their_order(write):
    sites = write("name,x,y,memory\n" + "".join(f"s{k},{k},0,{k}GB\n" for k in range(4)), "s.csv")
    points = write("name,x,y\n" + "".join(f"u{k},0,{k}\n" for k in range(5)), "p.csv")
    geography = read_geography(sites, points)
    assert geography.server_names == ("s0", "s1", "s2", "s3")
    assert geography.user_names == ("u0", "u1", "u2", "u3", "u4")
    assert geography.server_position_m.tolist() == [[k, 0] for k in range(4)]
    # As many as there are is all of them.
    assert read_geography(sites, points, servers=4, seed=7).server_names == geography.server_names
    instance = import_sites(SCENARIO, geography, seed=0)
    assert (instance.servers, instance.users) == (4, 5)
    assert instance.capacity_bytes.tolist() == [k * 10**9 for k in range(4)]
    assert instance.meta["scenario"]["servers"] == 4
    assert instance.meta["geography"]["site_rows"] == [0, 1, 2, 3]


def test_degrees_and_metres_do_not_mix(write):
    sites, points = write(table([(1, 2)]), "s.csv"), write("x,y\n1,2\n", "p.csv")
    with pytest.raises(InputError, match=r"p\.csv: row 1 is in metres, the servers are in degrees"):
        read_geography(sites, points)
    with pytest.raises(InputError, match=r"s\.csv: row 1 is in degrees, the servers are in metres"):
        read_geography(points, sites)


def test_memory_that_is_not_told_is_the_scenarios(write):
    path = write("x,y,memory\n1,2,\n3,4,50%\n")
    scenario = SCENARIO.replace(capacity=0.25)
    instance = import_sites(scenario, read_geography(path, path), seed=0)
    total = instance.item_bytes.sum()
    assert instance.capacity_bytes.tolist() == [total // 4, total // 2]
    path = write("x,y,memory\n1,2,24 bananas\n")
    with pytest.raises(InputError, match="memory of server 1: '24 bananas' is no amount"):
        import_sites(scenario, read_geography(path, path), seed=0)


def test_experts_on_the_devices_that_are_told(write):
    path = write("x,y,local\n1,2,3\n3,4,\n5,6,0\n")
    instance = import_sites(SCENARIO.replace(local=1), read_geography(path, path), seed=0)
    assert instance.local.sum(axis=1).tolist() == [3, 1, 0]
    path = write("x,y,local\n1,2,9\n")
    with pytest.raises(InputError, match="local of user 1: 9 exceeds the 8 experts"):
        import_sites(SCENARIO, read_geography(path, path), seed=0)
