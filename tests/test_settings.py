"""Settings from three places, and errors that say which place, which key, and what was meant."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from linnet.errors import SettingsInvalid
from linnet.limits import LIMITS
from linnet.settings import RESERVED, ModelSettings, Settings, load


@pytest.fixture
def toml(tmp_path: Path) -> Path:
    return tmp_path / "linnet.toml"


def test_defaults() -> None:
    found = load(environ={})
    assert found == Settings()
    assert (found.model, found.context, found.threads, found.root, found.margin) == (
        "default",
        None,
        None,
        None,
        None,
    )
    assert (found.tools, found.require_sandbox) == ((), False)
    assert (found.request_seconds, found.answer_tokens) == (LIMITS.request_seconds, LIMITS.answer_tokens)


def test_arguments_over_environment_over_file(toml: Path) -> None:
    toml.write_text('model = "file"\ncontext = 1\nthreads = 1\nanswer_tokens = 1')
    environ = {"LINNET_MODEL": "environment", "LINNET_CONTEXT": "2", "LINNET_THREADS": "2"}
    found = load(toml, environ, model="argument", context=3, threads=None)
    assert (found.model, found.context, found.threads, found.answer_tokens) == ("argument", 3, 2, 1)


def test_a_default_value_given_higher_up_wins(toml: Path) -> None:
    toml.write_text('model = "file"\nrequire_sandbox = true')
    found = load(toml, {"LINNET_MODEL": "default", "LINNET_REQUIRE_SANDBOX": "false"})
    assert (found.model, found.require_sandbox) == ("default", False)


def test_every_field_from_a_file(toml: Path) -> None:
    toml.write_text(
        'model = "smollm2-135m"\ncontext = 2048\nthreads = 2\nroot = "notes"\n'
        'tools = ["files", "calculator"]\n'
        "require_sandbox = true\nrequest_seconds = 30\nanswer_tokens = 64\nmargin = -0.5\n"
        'endpoint = "https://hub.example"\noffline = true\n'
        'memory_mib = 2048\nidle_seconds = 0\npreload = ["default", "my/model.gguf"]\n'
        '[models."my/model.gguf"]\nfamily = "qwen3"\ncontext = 512\ntemperature = 0.5\ntop_p = 0.5\ntop_k = 5\n'
        'stops = ["END"]\nthinking = false\nsystem = "folded"\ndialect = "hermes"\ntemplate = "own.jinja"\n'
        "template_options = {effort = 'low', deep = {a = [1]}}"
    )
    assert load(toml, {}) == Settings(
        model="smollm2-135m",
        context=2048,
        threads=2,
        root=toml.parent / "notes",
        tools=("files", "calculator"),
        require_sandbox=True,
        request_seconds=30.0,
        answer_tokens=64,
        margin=-0.5,
        endpoint="https://hub.example",
        offline=True,
        memory_mib=2048,
        idle_seconds=0.0,
        preload=("default", "my/model.gguf"),
        models={
            "my/model.gguf": ModelSettings(
                family="qwen3",
                context=512,
                temperature=0.5,
                top_p=0.5,
                top_k=5,
                stops=("END",),
                thinking=False,
                system="folded",
                dialect="hermes",
                template=toml.parent / "own.jinja",
                template_options={"effort": "low", "deep": {"a": [1]}},
            )
        },
    )


def test_every_field_from_the_environment() -> None:
    environ = {
        "LINNET_MODEL": "m",
        "LINNET_CONTEXT": "2048",
        "LINNET_THREADS": "2",
        "LINNET_ENCODING": "original",
        "LINNET_SNAPSHOTS": "off",
        "LINNET_ROOT": "/notes",
        "LINNET_LOG": "/var/log/linnet.log",
        "LINNET_TOOLS": "files, calculator,",
        "LINNET_ALLOW": "network, write_file",
        "LINNET_DENY": "files.write,",
        "LINNET_REQUIRE_SANDBOX": "yes",
        "LINNET_REQUEST_SECONDS": "1.5",
        "LINNET_ANSWER_TOKENS": "64",
        "LINNET_MARGIN": "0.25",
        "LINNET_ROUTER": "/cafe.toml",
        "LINNET_MEMORY": "yes",
        "LINNET_RESPONSE_CACHE_MIB": "16",
        "LINNET_ENDPOINT": "https://hub.example",
        "LINNET_OFFLINE": "1",
        "LINNET_MEMORY_MIB": "2048",
        "LINNET_IDLE_SECONDS": "60",
        "LINNET_PRELOAD": "default, other,",
        "LINNET_REMOTE_URL": "https://models.example/v1",
        "LINNET_REMOTE_MODEL": "big",
        "LINNET_REMOTE_CONTEXT": "32768",
        "LINNET_REMOTE_AT_ONCE": "4",
        "LINNET_REMOTE_HEDGE_SECONDS": "2.5",
        "LINNET_ALLOW_REMOTE": "true",
        "LINNET_REMOTE_REQUESTS": "5",
        "LINNET_REMOTE_TOKENS": "9000",
        "LINNET_TELEMETRY": "spans",
        "LINNET_JOURNAL": "postgresql://runs@db/linnet",
        "LINNET_REMOTE_KEY": "sk-never-a-setting",
        "PATH": "/bin",
    }
    fields = set(Settings.model_fields) - {"models", "tool_tables"}  # LINNET_MODELS is the folder of models
    assert set(environ) - {"PATH", "LINNET_REMOTE_KEY"} == {f"LINNET_{name.upper()}" for name in fields}
    found = load(environ=environ)
    assert found.tools == ("files", "calculator")
    assert (found.memory_mib, found.idle_seconds, found.preload) == (2048, 60.0, ("default", "other"))
    assert (found.memory, found.response_cache_mib) == (True, 16)
    assert found.router == Path("/cafe.toml")
    assert (found.root, found.require_sandbox, found.request_seconds) == (Path("/notes"), True, 1.5)
    assert (found.remote_url, found.remote_model) == ("https://models.example/v1", "big")
    assert (found.remote_context, found.allow_remote) == (32_768, True)
    assert (found.remote_requests, found.remote_tokens) == (5, 9_000)
    assert found.journal == "postgresql://runs@db/linnet"
    assert (found.remote_at_once, found.remote_hedge_seconds) == (4, 2.5)
    assert "sk-never-a-setting" not in repr(found)
    assert found.model_fields_set == fields and not found.snapshots


def test_no_tools_in_the_environment_overrides_the_file(toml: Path) -> None:
    toml.write_text('tools = ["shell"]')
    assert load(toml, {"LINNET_TOOLS": ""}).tools == ()


# --- where the file is ---------------------------------------------------------------------------


def test_the_file_in_the_configuration_folder(tmp_path: Path) -> None:
    file = tmp_path / ".config" / "linnet" / "linnet.toml"
    file.parent.mkdir(parents=True)
    file.write_text('model = "home"')
    assert load(environ={"HOME": str(tmp_path)}).model == "home"
    assert load(environ={"XDG_CONFIG_HOME": str(tmp_path / ".config")}).model == "home"
    assert load(environ={"XDG_CONFIG_HOME": "relative", "HOME": str(tmp_path)}).model == "home"


def test_the_current_folder_is_not_read(toml: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    toml.write_text('tools = ["shell"]')
    monkeypatch.chdir(toml.parent)
    assert load(environ={"HOME": "/nowhere"}).tools == ()


def test_the_named_file_goes_before_the_variable(tmp_path: Path) -> None:
    for name in ("argument", "variable"):
        (tmp_path / name).write_text(f'model = "{name}"')
    environ = {"LINNET_SETTINGS": str(tmp_path / "variable")}
    assert load(environ=environ).model == "variable"
    assert load(tmp_path / "argument", environ).model == "argument"


def test_a_named_file_must_be_there(tmp_path: Path) -> None:
    absent = tmp_path / "absent.toml"
    with pytest.raises(SettingsInvalid, match=r"no settings file .*absent\.toml"):
        load(absent, {})
    with pytest.raises(SettingsInvalid, match=r"no settings file .*absent\.toml"):
        load(environ={"LINNET_SETTINGS": str(absent)})
    with pytest.raises(SettingsInvalid, match="cannot read"):
        load(tmp_path, {})


@pytest.mark.parametrize(
    "body", [b"=", b"\xff", b"model = ", b'model = "a"\nmodel = "b"', b"[" * 5_000, b"a = " + b"[" * 5_000]
)
def test_a_file_that_is_not_toml(toml: Path, body: bytes) -> None:
    toml.write_bytes(body)
    with pytest.raises(SettingsInvalid, match=r"linnet\.toml is not TOML"):
        load(toml, {})


def test_home_is_expanded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, toml: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    toml.write_text('root = "~/notes"')
    assert load(toml, {}).root == tmp_path / "notes"
    assert load(environ={"LINNET_ROOT": "~/notes"}).root == tmp_path / "notes"


# --- what is wrong -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("contxt = 3", "`contxt` is not a setting; did you mean `context`?"),
        ("Model = 'x'", "did you mean `model`?"),
        ("zzzzz = 3", "`zzzzz` is not a setting; there are: model, context, threads"),
        ("context = '3'", "`context` is '3': input should be a valid integer"),
        ("context = 0", "`context` is 0: input should be greater than or equal to 1"),
        ("context = true", "`context` is True: input should be a valid integer"),
        ("require_sandbox = 1", "`require_sandbox` is 1: input should be a valid boolean"),
        ("model = 1", "`model` is 1: input should be a valid string"),
        ("model = ''", "`model` is '': string should have at least 1 character"),
        ("tools = 'files'", "`tools` is 'files': should be a list of names"),
        ("preload = 'default'", "`preload` is 'default': should be a list of names"),
        ("memory_mib = 0", "`memory_mib` is 0: input should be greater than or equal to 1"),
        ("idle_seconds = -1", "`idle_seconds` is -1: input should be greater than or equal to 0"),
        ("tools = [1]", "`tools` is 1: input should be a valid string"),
        ("root = 1", "`root` is 1: should be a folder"),
        ("root = ''", "`root` is '': should be a folder, not an empty path"),
        ("margin = nan", "`margin` is nan: input should be a finite number"),
        ("request_seconds = inf", "`request_seconds` is inf: input should be a finite number"),
        ("request_seconds = 0", "`request_seconds` is 0: input should be greater than 0"),
        ("[model]\na = 1", "`model` is {'a': 1}: input should be a valid string"),
        ("models = 1", "`models` is 1: input should be a valid dictionary"),
        ("[models]\nx = 1", '`models."x"` is 1: input should be a valid dictionary'),
        (
            '[models."a b"]\ncontxt = 1',
            '`models."a b".contxt` is not a setting; did you mean `models."a b".context`?',
        ),
        ("[models.x]\nzzzzz = 1", '`models."x".zzzzz` is not a setting; there are: family, context, temperature'),
        ("[models.x]\nthinking = 'no'", """`models."x".thinking` is 'no': input should be a valid boolean"""),
        ("[models.x]\ntemperature = 5.1", '`models."x".temperature` is 5.1: input should be less than or equal to 5'),
        ("[models.x]\nstops = 'x'", """`models."x".stops` is 'x': should be a list of names"""),
        (f"[models.x]\nstops = {['x'] * 17}", '`models."x".stops` is '),
        ("[models.x]\nsystem = 'gone'", """`models."x".system` is 'gone': input should be 'own' or 'folded'"""),
        ("[models.x]\ntemplate = 1", '`models."x".template` is 1: should be a file'),
        ("[models.x]\ntemplate = '~no-such-user/x'", "should be a file; that user has no home"),
        ("[models.x]\ntemplate_options = {'a b' = 1}", '`models."x".template_options` is '),
        ("margin = 1979-05-27", "`margin` is datetime.date(1979, 5, 27): input should be a valid number"),
    ],
)
def test_file_errors_name_the_file_the_key_and_the_value(toml: Path, line: str, message: str) -> None:
    toml.write_text(line)
    with pytest.raises(SettingsInvalid) as caught:
        load(toml, {})
    assert caught.value.message.startswith(f"{toml}: ")
    assert message in caught.value.message
    assert caught.value.details["place"] == str(toml)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("LINNET_CONTXT", "3", "LINNET_CONTXT is not a setting; did you mean LINNET_CONTEXT?"),
        ("LINNET_CONTEXT", "many", "LINNET_CONTEXT is 'many': input should be a valid integer"),
        ("LINNET_CONTEXT", "", "LINNET_CONTEXT is '': input should be a valid integer"),
        ("LINNET_MODEL", "", "LINNET_MODEL is '': string should have at least 1 character"),
        ("LINNET_ROOT", "", "LINNET_ROOT is '': should be a folder"),
        (
            "LINNET_REQUIRE_SANDBOX",
            "maybe",
            "LINNET_REQUIRE_SANDBOX is 'maybe': input should be a valid boolean",
        ),
        ("LINNET_ROOT", "~no-such-user/x", "should be a folder; that user has no home"),
    ],
)
def test_environment_errors_name_the_variable(name: str, value: str, message: str) -> None:
    with pytest.raises(SettingsInvalid) as caught:
        load(environ={name: value})
    assert message in caught.value.message


def test_all_that_is_wrong_in_one_place_is_told_at_once(toml: Path) -> None:
    toml.write_text("threads = 0\nanswer_tokns = 1")
    with pytest.raises(SettingsInvalid) as caught:
        load(toml, {})
    assert caught.value.details["keys"] == ["threads", "answer_tokns"]
    assert "did you mean `answer_tokens`?" in caught.value.message


def test_a_context_for_this_run_goes_before_those_of_models(toml: Path) -> None:
    toml.write_text("context = 256\n[models.a]\ncontext = 512\ntop_k = 1")
    assert load(toml, {}).models["a"] == ModelSettings(context=512, top_k=1)
    for found in (load(toml, {"LINNET_CONTEXT": "1024"}), load(toml, {}, context=1024)):
        assert found.context == 1024 and found.models["a"] == ModelSettings(top_k=1)


def test_a_wrong_argument_is_named() -> None:
    with pytest.raises(SettingsInvalid, match="arguments: `contex` is not a setting; did you mean `context`"):
        load(environ={}, contex=3)
    with pytest.raises(SettingsInvalid, match="Settings: `contex` is not a setting"):
        Settings(**{"contex": 3})


def test_other_variables_with_the_prefix_are_known() -> None:
    assert load(environ={name: "/dev/null" for name in RESERVED}) == Settings()


def test_settings_are_frozen() -> None:
    found: Any = Settings()
    with pytest.raises(ValidationError, match="frozen"):
        found.model = "other"


@given(
    values=st.dictionaries(
        st.sampled_from([f"LINNET_{name.upper()}" for name in Settings.model_fields]) | st.text(max_size=9),
        st.text(max_size=12).filter(lambda text: "\x00" not in text),
    )
)
def test_any_environment_gives_settings_or_a_typed_error(values: dict[str, Any]) -> None:
    try:
        assert isinstance(load(environ=values), Settings)
    except SettingsInvalid as error:
        assert error.exit_code == 2


def test_an_encoding_for_this_run_goes_before_that_of_a_model(tmp_path):
    file = tmp_path / "s.toml"
    file.write_text('encoding = "auto"\n[models."m"]\nencoding = "original"\n')
    assert load(file, {}).models["m"].encoding == "original" and load(file, {}).encoding == "auto"
    for environ, argument in (({"LINNET_ENCODING": "original"}, None), ({}, "original")):
        found = load(file, environ, encoding=argument)
        assert (found.encoding, found.models["m"].encoding) == ("original", None)
    with pytest.raises(SettingsInvalid, match="encoding"):
        load(file, {}, encoding="fastest")


def test_nothing_is_sent_anywhere_unless_set() -> None:
    settings = load(environ={})
    assert (settings.allow_remote, settings.remote_url, settings.remote_model) == (False, None, None)


@pytest.mark.parametrize(
    "given",
    [
        {"remote_requests": -1},
        {"remote_tokens": -1},
        {"remote_context": 0},
        {"remote_at_once": 0},
        {"remote_hedge_seconds": 0},
        {"remote_url": ""},
        {"remote_key": "k"},
    ],
)
def test_what_a_remote_server_cannot_have(given: dict[str, Any]) -> None:
    """A key is no setting: it has no place in a file."""
    with pytest.raises(SettingsInvalid):
        Settings(**given)


def test_the_router_of_a_file_lies_beside_it(toml: Path) -> None:
    toml.write_text('router = "cafe.toml"')
    assert load(toml, {}).router == toml.parent / "cafe.toml"


@pytest.mark.parametrize("router", ["", 5])
def test_a_router_is_a_file(router: Any) -> None:
    with pytest.raises(SettingsInvalid, match="`router`"):
        load(environ={}, router=router)


def test_hints_for_arguments_do_not_speak_of_files() -> None:
    with pytest.raises(SettingsInvalid) as found:
        load(environ={}, threads=0)
    assert "--help" in found.value.hint
    with pytest.raises(SettingsInvalid) as found:
        load(environ={"LINNET_THREADS": "0"})
    assert "environment" in found.value.hint
