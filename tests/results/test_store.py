"""The store: keys, archives, damage, a full disk, and processes that die or work side by side."""

import errno
import io
import json
import os
import pickle
import signal
import subprocess
import sys
import textwrap
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest

from netdyn_lib.results import store
from netdyn_lib.results.store import (
    DamagedShard,
    Store,
    StoreError,
    key,
    read_archive,
    write_archive,
)
from netdyn_lib.tasks import datasets

ROOT = Path(__file__).resolve().parents[2]
needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs processes that fork")
ARRAYS = {
    "η": np.array(5.0),
    "loss": np.array([[1.5, np.nan, -0.0], [np.inf, 5e-324, 1 / 3]]),
    "alive": np.array([True, False]),
    "seed": np.arange(5, dtype=np.int32)[::2],
    "name": np.array(["iris", "ε"]),
    "none": np.empty((0, 3)),
}
META = {"task": "iris", "η": 5.0, "sizes": [4, 3]}
META["more"] = {"none": None, "yes": True, "tiny": 5e-324}

#: What every process below computes for a key; names of shards are s000, s001, ...
PRELUDE = """
import json, os, resource, signal, sys, time
import numpy as np
from netdyn_lib.results import store
from netdyn_lib.results.store import Store, StoreError

def work(key):
    return {"x": np.random.default_rng(int(key[1:])).random(2000)}, {"of": key}

folder = sys.argv[1]
KEYS = [f"s{i:03}" for i in range(20)]
"""


def start(script, *words, before=()):
    command = [*before, sys.executable, "-c", PRELUDE + textwrap.dedent(script), *map(str, words)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(process):
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    return out


def kill(process):
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL


def same(arrays, others):
    # assert_array_equal holds 0.0 and -0.0 for equal: compare the bytes.
    return arrays.keys() == others.keys() and all(
        (arrays[name].dtype, arrays[name].shape, arrays[name].tobytes())
        == (others[name].dtype, others[name].shape, others[name].tobytes())
        for name in arrays
    )


def partials(folder):
    return sorted(path.name for path in folder.glob(".*.partial"))


# Keys


def test_a_key_is_the_same_for_any_order():
    one = {"a": 1, "b": {"c": [1.5, None], "d": "η"}}
    assert key(one) == key({"b": {"d": "η", "c": (1.5, None)}, "a": 1})
    assert key({"eta": np.float64(0.1)}) == key({"eta": 0.1})
    assert len(key({})) == 24 and set(key({})) <= set("0123456789abcdef")


def test_keys_differ_where_descriptions_do():
    values = [0.3, 0.1 + 0.2, 1, 1.0, True, "1", None, 0, 0.0, -0.0, False]
    values += ["", [], {}, [1], [[1]], [1, 1], "True"]
    values += [float(np.float32(0.3)), 2**64, float(2**64), 5e-324, np.nextafter(1.0, 2.0)]
    assert len({key({"x": value}) for value in values}) == len(values)
    assert key({"ab": 1}) != key({"a": {"b": 1}}) != key({"a": 1, "b": 1})


def test_a_key_stays_what_it_is():
    """Finished shards are found by it under every version of Python and NumPy."""
    assert key({"task": "iris", "eta": 0.1 + 0.2, "seed": 3}) == "164f56d8dcdd5ef53745f09d"


@pytest.mark.parametrize(
    ("value", "error", "words"),
    [
        (float("nan"), ValueError, "= nan"),
        ([1.0, -np.inf], ValueError, r"\['x'\]\[1\] = -inf"),
        (np.float32(1), TypeError, "float32"),
        ({1: 2}, TypeError, "only text as keys"),
    ],
)
def test_what_json_cannot_state_is_refused(value, error, words):
    with pytest.raises(error, match=words):
        key({"x": value})
    with pytest.raises(TypeError, match="not a dict"):
        key([1])


# Archives


def test_an_archive_gives_back_what_was_written(tmp_path):
    path = write_archive(tmp_path / "new" / "a.npz", ARRAYS, META)
    arrays, meta = read_archive(path)
    assert same(arrays, ARRAYS)
    assert meta == META
    assert arrays["loss"].flags.writeable


def test_an_archive_is_read_without_this_library(tmp_path):
    with np.load(write_archive(tmp_path / "a.npz", ARRAYS, META)) as file:
        assert np.array_equal(file["loss"], ARRAYS["loss"], equal_nan=True)
        assert json.loads(file["meta.json"]) == META


def test_the_same_content_gives_the_same_bytes(tmp_path):
    one = write_archive(tmp_path / "one.npz", ARRAYS, META).read_bytes()
    backwards = {name: np.asarray(ARRAYS[name], order="F") for name in reversed(ARRAYS)}
    assert (
        write_archive(tmp_path / "two.npz", backwards, dict(reversed(META.items()))).read_bytes()
        == one
    )
    assert partials(tmp_path) == []


@pytest.mark.parametrize(
    ("arrays", "meta", "error", "words"),
    [
        ({"a/b": np.zeros(1)}, {}, ValueError, "identifier"),
        ({"x": np.array([{}])}, {}, ValueError, "object"),
        ({"x": np.zeros(2, dtype="f8,i4")}, {}, ValueError, "only numbers"),
        ({}, {"x": float("nan")}, ValueError, "meta.*nan"),
        ({}, [], TypeError, "not a dict"),
    ],
)
def test_what_an_archive_cannot_hold_is_refused(tmp_path, arrays, meta, error, words):
    with pytest.raises(error, match=words):
        write_archive(tmp_path / "a.npz", arrays, meta)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_archive_is_no_damage(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_archive(tmp_path / "a.npz")


# Shards


def test_a_store_is_a_folder_of_shards(tmp_path):
    shards = Store(tmp_path / "shards")
    assert shards.keys() == [] and shards.damaged() == [] and "a" not in shards
    assert not shards.folder.exists()
    assert shards.write("b", ARRAYS, META) == shards.path("b") == tmp_path / "shards" / "b.npz"
    shards.write("a-0.1", {}, {})
    assert shards.keys() == ["a-0.1", "b"] and "b" in shards
    shard = shards.read("b")
    assert shard.key == "b" and shard.meta == META and shard.arrays.keys() == ARRAYS.keys()
    assert read_archive(shards.path("b"))[1] == {**META, "key": "b"}
    shards.write("b", {}, {"second": 1})
    assert shards.read("b").meta == {"second": 1}
    assert partials(shards.folder) == []


def test_what_is_no_shard_is_said(tmp_path):
    shards = Store(tmp_path)
    for ask in (shards.read, shards.check, shards.set_aside):
        with pytest.raises(KeyError, match="no shard a in"):
            ask("a")
    for name in ("", ".a", "a/b", "../a", "a b", "a\n", 3):
        with pytest.raises(ValueError, match="no key"):
            shards.path(name)
    with pytest.raises(ValueError, match="without 'key'"):
        shards.write("a", {}, {"key": "a"})
    (tmp_path / ".hidden.npz").touch()
    (tmp_path / "a b.npz").touch()
    assert shards.keys() == []


# Damage


def test_a_flipped_bit_anywhere_is_noticed_or_without_effect(tmp_path):
    shards = Store(tmp_path)
    path = shards.write("a", {"x": np.arange(4.0), "y": np.array(1)}, {"η": 5.0})
    whole, good = path.read_bytes(), shards.read("a")
    noticed = []
    for place in range(len(whole)):
        data = bytearray(whole)
        data[place] ^= 1 << (place % 8)
        path.write_bytes(data)
        try:
            shard = shards.read("a")
        except DamagedShard as error:
            assert str(path) in str(error)
            noticed.append(place)
        else:
            assert same(shard.arrays, good.arrays) and shard.meta == good.meta, place
    # What is left are a zip's own fields, such as dates, which nothing here reads.
    third = len(whole) // 3
    assert all(any(k * third <= place < (k + 1) * third for place in noticed) for k in range(3))
    assert len(noticed) > len(whole) / 2


def test_a_cut_anywhere_is_noticed(tmp_path):
    shards = Store(tmp_path)
    path = shards.write("a", {"x": np.arange(4.0)}, {})
    whole = path.read_bytes()
    for size in range(0, len(whole), 3):
        path.write_bytes(whole[:size])
        with pytest.raises(DamagedShard, match=f"{path.name} is damaged.* {size} bytes long"):
            shards.check("a")


def test_a_checksum_tells_what_a_zip_does_not(tmp_path):
    """An archive is repacked with another number in it: the zip is good, the checksum is not."""
    path = write_archive(tmp_path / "a.npz", {"x": np.arange(3.0)}, {"n": 1})

    def repack(change):
        with zipfile.ZipFile(path) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        change(members)
        with zipfile.ZipFile(path, "w") as archive:
            for name, raw in members.items():
                archive.writestr(name, raw)
        with pytest.raises(DamagedShard) as caught:
            read_archive(path)
        write_archive(path, {"x": np.arange(3.0)}, {"n": 1})
        return caught.value

    for change in (
        lambda members: members.update({"x.npy": members["x.npy"][:-1] + b"\x41"}),
        lambda members: members.update({"y.npy": members.pop("x.npy")}),
        lambda members: members.update({"x.npy": members["x.npy"].replace(b"<f8", b"<i8")}),
        lambda members: members.update({"x.npy": members["x.npy"].replace(b"(3,), ", b"(3,1),")}),
        lambda members: members.update({"meta.json": b'{"n":2}'}),
    ):
        error = repack(change)
        assert error.stored != error.found
        for word in (error.stored, error.found, str(path), "set_aside"):
            assert word in str(error)
        again = pickle.loads(pickle.dumps(error))  # a worker hands it to its scheduler
        assert (str(again), again.path, again.found) == (str(error), error.path, error.found)
    assert "no checksum" in repack(lambda members: members.pop("sha256")).what
    assert "pickle" in str(repack(lambda members: members.update({"x.npy": pickled()})))


def pickled():
    raw = io.BytesIO()
    np.lib.format.write_array(raw, np.array([{}]), allow_pickle=True)
    return raw.getvalue()


def test_damaged_shards_are_found_set_aside_and_written_again(tmp_path):
    shards = Store(tmp_path)
    for name in "abcde":
        shards.write(name, {"x": np.arange(3.0)}, {})
    shards.path("a").write_bytes(shards.path("a").read_bytes()[:-30])
    shards.path("b").write_bytes(b"no archive at all")
    np.savez(shards.path("c"), x=np.arange(3.0))
    shards.path("d").write_bytes(shards.path("e").read_bytes())
    damaged = shards.damaged()
    assert [error.path for error in damaged] == [shards.path(name) for name in "abcd"]
    assert "no checksum" in damaged[2].what and "holds shard 'e', not 'd'" in damaged[3].what
    for error in damaged:
        aside = shards.set_aside(error.path.stem)
        assert aside == error.path.with_name(error.path.name + ".damaged") and aside.exists()
    assert shards.keys() == ["e"] and shards.damaged() == []
    shards.write("a", {"x": np.arange(3.0)}, {})
    assert shards.damaged() == []


# Processes that are killed

COMPLETE = """
shards = Store(folder)
for key in KEYS:
    if key not in shards:
        shards.write(key, *work(key))
"""


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """The files of a store that nobody interrupted."""
    folder = tmp_path_factory.mktemp("reference")
    finish(start(COMPLETE, folder))
    return contents(folder)


def test_a_process_killed_at_any_time_leaves_whole_shards(tmp_path, reference):
    for round in range(4):
        process = start(
            """
            shards, order = Store(folder), np.random.default_rng(int(sys.argv[2]))
            while True:
                key = str(order.choice(KEYS[:15]))
                shards.write(key, *work(key))
                print(key, flush=True)
            """,
            tmp_path,
            round,
        )
        for _ in range(3 + 7 * round):
            assert process.stdout.readline()
        kill(process)
        shards = Store(tmp_path)
        assert shards.keys() and shards.damaged() == []
        assert partials(tmp_path) == []  # opening has swept them
    assert len(shards.keys()) < 20
    finish(start(COMPLETE, tmp_path))
    assert contents(tmp_path) == reference


@pytest.mark.parametrize("place", ["write", "fsync", "replace"])
def test_a_process_killed_inside_a_write_leaves_what_was(tmp_path, place, reference):
    process = start(
        """
        shards, real = Store(folder), getattr(os, sys.argv[2])
        for key in KEYS[:3]:
            shards.write(key, *work(key))
        def stop(fd, *rest):
            if sys.argv[2] == "write":
                real(fd, rest[0][:100])
            print("inside", flush=True)
            time.sleep(600)
        setattr(os, sys.argv[2], stop)
        shards.write(KEYS[2], {}, {"other": 1})
        """,
        tmp_path,
        place,
    )
    assert process.stdout.readline() == "inside\n"
    (left,) = partials(tmp_path)
    assert left.startswith(f".s002.{process.pid}.")
    Store(tmp_path)
    assert partials(tmp_path) == [left], "the file of a process that lives was swept"
    kill(process)
    assert Store(tmp_path).keys() == ["s000", "s001", "s002"]
    assert contents(tmp_path) == {
        name: reference[name] for name in ("s000.npz", "s001.npz", "s002.npz")
    }


@needs_fork
def test_published_files_are_replaced_whole_and_what_the_killed_left_is_removed(tmp_path):
    script = f"""
    sys.path.insert(0, {str(ROOT)!r})
    from tests.killed import at_each_call

    folder = store.Path(folder) / "results"
    archive, text = folder / "a.npz", folder / "b.json"

    def publish(number):
        store.write_archive(archive, work(f"s00{{number}}")[0], {{"n": number}})
        store.write_json(text, {{"n": number}})

    def good():
        shown = sorted(path.name for path in folder.glob("[!.]*"))
        assert shown in ([], ["a.npz"], ["a.npz", "b.json"]), shown
        assert store.published_names(folder) == ["a"] * archive.exists()
        if archive.exists():
            assert store.read_archive(archive)[1] in ({{"n": 1}}, {{"n": 2}})
        if text.exists():
            assert store.read_json(text) in ({{"n": 1}}, {{"n": 2}})

    killed = [at_each_call(lambda: publish(number), folder, after=good) for number in (1, 2)]
    print(json.dumps([killed, sorted(os.listdir(folder))]))
    """
    killed, left = json.loads(finish(start(script, tmp_path)))
    assert min(killed) > 5 and left == ["a.npz", "b.json"]


@needs_fork
def test_writers_at_once_leave_one_of_their_files_whole(tmp_path):
    script = """
    path, number = store.Path(folder) / "a.json", int(sys.argv[2])
    for _ in range(25):
        store.write_json(path, {"n": [number] * 5000})
    """
    writers = [start(script, tmp_path, number) for number in (1, 2)]
    path, read = tmp_path / "a.json", []
    while any(process.poll() is None for process in writers):
        if path.exists():
            read.append(set(store.read_json(path)["n"]))
    for process in writers:
        finish(process)
    assert len(read) > 3 and all(numbers in ({1}, {2}) for numbers in read)
    assert os.listdir(tmp_path) == ["a.json"]


def test_partial_files_of_elsewhere_are_swept_by_age(tmp_path, monkeypatch):
    young, old = tmp_path / ".a.7.0123abcd-1.partial", tmp_path / ".b.7.0123abcd-1.partial"
    ours = tmp_path / f".c.7.{store.HOST}-1.partial"

    def lay():
        for path in (young, old, ours):
            path.touch()
        os.utime(old, (time.time() - 2 * 86400,) * 2)

    lay()
    Store(tmp_path)
    assert partials(tmp_path) == [young.name]
    lay()
    monkeypatch.setattr(store, "fcntl", None)
    Store(tmp_path)
    assert partials(tmp_path) == [young.name, ours.name]


# Processes side by side


def test_a_claim_excludes_others_until_its_process_dies(tmp_path):
    process = start(
        """
        with Store(folder).claim("a") as mine:
            print(mine, flush=True)
            time.sleep(600)
        """,
        tmp_path,
    )
    assert process.stdout.readline() == "True\n"
    shards = Store(tmp_path)
    with shards.claim("a") as mine, shards.claim("b") as other:
        assert not mine and other
    kill(process)
    with shards.claim("a") as mine:
        assert mine
        with shards.claim("a") as again:
            assert not again
    assert list((tmp_path / "locks").iterdir()) == []


def test_a_shard_written_meanwhile_is_not_claimed(tmp_path):
    shards = Store(tmp_path)
    shards.write("a", {}, {})
    with shards.claim("a") as mine:
        assert not mine
    # Of locks that killed processes left, opening takes those whose shard is there: to
    # try another's would, for a moment, refuse it to a process that claims it just then.
    store = [tmp_path / "locks" / name for name in ("a.lock", "b.lock")]
    for lock in store:
        lock.touch()
    opened = Store(tmp_path)
    assert [lock.exists() for lock in store] == [False, True]
    with opened.claim("b") as mine:
        assert mine
    assert list((tmp_path / "locks").iterdir()) == []


def test_a_claim_is_not_of_a_file_that_its_owner_just_removed(tmp_path, monkeypatch):
    shards, lock = Store(tmp_path), store.lock

    def late(fd, wait=False):
        # Between the opening of the file and its lock, who had it ends and removes it.
        monkeypatch.setattr(store, "lock", lock)
        (tmp_path / "locks" / "a.lock").unlink()
        return lock(fd, wait)

    monkeypatch.setattr(store, "lock", late)
    with shards.claim("a") as mine, shards.claim("a") as other:
        assert mine and not other
    assert list((tmp_path / "locks").iterdir()) == []


def test_a_write_outlives_a_sweep_of_its_file(tmp_path, monkeypatch):
    """A store that is opened just before the new file is locked takes it for left behind."""
    shards, lock = Store(tmp_path), store.lock

    def late(fd, wait=False):
        monkeypatch.setattr(store, "lock", lock)
        Store(tmp_path)
        assert partials(tmp_path) == []
        return lock(fd, wait)

    monkeypatch.setattr(store, "lock", late)
    shards.write("a", ARRAYS, META)
    assert shards.read("a").meta == META and partials(tmp_path) == []


@pytest.mark.parametrize("refusal", ["missing", errno.ENOLCK, errno.ENOTSUP])
def test_where_nothing_can_be_locked_everybody_computes(tmp_path, monkeypatch, refusal):
    if refusal == "missing":
        monkeypatch.setattr(store, "fcntl", None)
    else:
        monkeypatch.setattr(
            store.fcntl, "flock", lambda *_: (_ for _ in ()).throw(OSError(refusal, "refused"))
        )
    shards = Store(tmp_path)
    with shards.claim("a") as one, shards.claim("a") as other:
        assert one and other
    shards.write("a", ARRAYS, META)
    assert shards.read("a").meta == META and partials(tmp_path) == []
    assert list((tmp_path / "locks").iterdir()) == []


# A header that claims more than is there


@pytest.mark.parametrize("shape", [(10**12,), (10**6, 10**6), (2**62, 4), (4,), (2,), (3, 0)])
def test_a_header_that_claims_another_size_is_damage_and_nothing_is_allocated(tmp_path, shape):
    path = write_archive(tmp_path / "a.npz", {"x": np.arange(3.0)}, {})
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    header, claim = io.BytesIO(), {"descr": "<f8", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(header, claim)
    members["x.npy"] = header.getvalue() + np.arange(3.0).tobytes()
    with zipfile.ZipFile(path, "w") as archive:
        for name, raw in members.items():
            archive.writestr(name, raw)
    said = "its header claims .* of float64, -?[0-9]+ bytes, where 24 follow"
    with pytest.raises(DamagedShard, match=f"a.npz is damaged: .* {said}"):
        read_archive(path)
    with pytest.raises(datasets.DamagedData, match=f"a.npz cannot be read as .npz .*{said}"):
        datasets._unpacked(path)


# JSON


def test_json_gives_back_what_was_written(tmp_path):
    path = store.write_json(tmp_path / "new" / "a.json", META)
    assert store.read_json(path) == META
    assert json.loads(path.read_text()).keys() == {"sha256", *META}
    with pytest.raises(ValueError, match="the content has a field 'sha256'"):
        store.write_json(path, {"sha256": ""})
    assert store.read_json(path) == META
    with pytest.raises(FileNotFoundError):
        store.read_json(tmp_path / "b.json")


def test_a_flipped_bit_of_published_json_is_noticed_or_without_effect(tmp_path):
    """Without a checksum half of them changed a number or a word, and nobody saw."""
    paths, path = sorted((ROOT / "book" / "results").rglob("*.json")), tmp_path / "a.json"
    rng, seen = np.random.default_rng(0), 0
    for original in paths:
        whole, good = original.read_bytes(), store.read_json(original)
        for place, bit in rng.integers((len(whole), 8), size=(60, 2)).tolist():
            path.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << bit]) + whole[place + 1 :])
            try:
                assert store.read_json(path) == good, (original.name, place, bit)
            except DamagedShard as error:
                assert str(path) in str(error)
                seen += 1
    assert len(paths) >= 3 and seen > 0.95 * 60 * len(paths)


BROKEN = ["", "[]", "3", "{", '{"n": 1}', '{"n": NaN, "sha256": ""}', '{"n": 1, "sha256": null}']


@pytest.mark.parametrize("text", [*BROKEN, "[" * 100_000, "\xff"])
def test_what_is_no_json_of_ours_is_damage(tmp_path, text):
    (tmp_path / "a.json").write_text(text, encoding="latin-1")
    with pytest.raises(DamagedShard, match="a.json is damaged"):
        store.read_json(tmp_path / "a.json")


# A disk that is full

FILL = """
shards, written, caught = Store(folder), [], None
{limit}
for key in KEYS:
    arrays, meta = work(key)
    if key == KEYS[2]:
        arrays["x"] = np.tile(arrays["x"], {times}) + np.arange(len(arrays["x"]) * {times})
    try:
        shards.write(key, arrays, meta)
    except StoreError as error:
        caught = [error.errno, str(error)]
        break
    written.append(key)
left = [name for name in os.listdir(folder) if name.startswith(".")]
good = [key for key in written if shards.read(key).meta == {{"of": key}}]
{after}
print(json.dumps([written, good, shards.keys(), left, caught]))
"""


def judge(out, number):
    written, good, there, left, (code, text) = json.loads(out)
    assert written and written == good == there and left == []
    assert code == number
    failed = f"s{len(written):03}.npz was not written"
    for words in (failed, "it needs ", " bytes free", "Everything finished before it is kept"):
        assert words in text
    return written


def test_a_file_that_may_not_grow_is_an_error_that_says_so(tmp_path):
    limit = "resource.setrlimit(resource.RLIMIT_FSIZE, (30000, 30000))"
    out = finish(start(FILL.format(limit=limit, times=4, after=""), tmp_path))
    assert judge(out, errno.EFBIG) == ["s000", "s001"]


def test_a_disk_that_fills_up_keeps_what_was_finished(tmp_path):
    """On a real disk of 64 KiB, which holds three shards."""
    mounted = 'mount -t tmpfs -o size=64k none "$0" && exec "$@"'
    mount = ["unshare", "-rm", "sh", "-c", mounted, str(tmp_path)]
    try:
        subprocess.run([*mount, "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"this machine lets us mount no tmpfs: {error}")
    after = """
shards.path("s000").unlink()
shards.write("s019", *work("s019"))  # with room made, writing goes on
shards.check("s019")
shards.path("s019").unlink()
shards.write("s000", *work("s000"))
"""
    out = finish(start(FILL.format(limit="", times=1, after=after), tmp_path, before=mount))
    assert len(judge(out, errno.ENOSPC)) > 2


def test_a_folder_that_cannot_be_is_an_error_that_says_so(tmp_path):
    (tmp_path / "file").touch()
    shards = Store(tmp_path / "file" / "shards")
    with pytest.raises(StoreError, match="a.npz was not written") as caught:
        shards.write("a", {}, {})
    assert pickle.loads(pickle.dumps(caught.value)).errno == caught.value.errno == errno.ENOTDIR
    with pytest.raises(StoreError, match="a.lock"), shards.claim("a"):
        pass
