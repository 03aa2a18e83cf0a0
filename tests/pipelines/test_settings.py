"""Settings: defaults, file, environment, in this order; every problem in one message."""

from dataclasses import FrozenInstanceError, fields
from pathlib import Path

import pytest

from pipelines.errors import SettingsError
from pipelines.settings import Settings, load_settings


def test_defaults_work() -> None:
    assert load_settings({}) == Settings()
    assert Settings().validated() is not None


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "overround.toml"
    file.write_text('partitions = 3\nbettors = 5\npoll_timeout_s = 0.5\nlog_level = "DEBUG"\n')
    settings = load_settings({"OVERROUND_PARTITIONS": "4"}, file)
    assert (settings.partitions, settings.bettors) == (4, 5)
    assert settings.poll_timeout_s == 0.5
    assert settings.log_level == "DEBUG"
    by_name = load_settings({"OVERROUND_SETTINGS": str(file)})
    assert by_name.partitions == 3


def test_names_that_users_of_kafka_ably_and_ray_know() -> None:
    settings = load_settings(
        {
            "KAFKA_BOOTSTRAP_SERVERS": "kafka:9092",
            "ABLY_API_KEY": "app.key:secret",
            "RAY_ADDRESS": "ray://head:10001",
        }
    )
    assert settings.kafka_bootstrap_servers == "kafka:9092"
    assert settings.ably_api_key == "app.key:secret"
    assert settings.ray_address == "ray://head:10001"


def test_every_field_has_a_variable() -> None:
    given = {
        f"OVERROUND_{f.name.upper()}": str(getattr(Settings(), f.name))
        for f in fields(Settings)
        if getattr(Settings(), f.name) != ""
    }
    assert load_settings(given) == Settings()


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    file = tmp_path / "overround.toml"
    file.write_text('colour = "red"\nkafka_port = 0\nlog_level = "LOUD"\n')
    with pytest.raises(SettingsError) as caught:
        load_settings(
            {
                "OVERROUND_PARTITIONS": "many",
                "OVERROUND_BETTORS": "0",
                "OVERROUND_EDGE_PORT": "9464",
                "OVERROUND_TRANSACTION_TIMEOUT_MS": "1",
                "OVERROUND_POLL_TIMEOUT_S": "2",
                "OVERROUND_BETS_PER_SECOND": "-1",
                "OVERROUND_APPLICATION": "a b",
                "ABLY_API_KEY": "no-colon",
            },
            file,
        )
    for part in (
        "colour in",
        "kafka_port must be a port",
        "log_level must be",
        "partitions must be int, was 'many'",
        "bettors must be at least 1",
        "ports must differ",
        "transaction_timeout_ms must be",
        "poll_timeout_s must be",
        "bets_per_second must not",
        "application must be",
        "ably_api_key must have",
    ):
        assert part in caught.value.message, part


@pytest.mark.parametrize("text", ["partitions =", "\x00"])
def test_a_file_that_is_not_toml_is_named(tmp_path: Path, text: str) -> None:
    file = tmp_path / "broken.toml"
    file.write_text(text)
    with pytest.raises(SettingsError, match=r"broken\.toml could not be read"):
        load_settings({}, file)
    with pytest.raises(SettingsError, match="could not be read"):
        load_settings({}, tmp_path / "missing.toml")


@pytest.mark.parametrize("text", ["bettors = true", "bettors = [1]", "bettors = 1.5"])
def test_a_file_does_not_change_the_type_of_a_value(tmp_path: Path, text: str) -> None:
    file = tmp_path / "overround.toml"
    file.write_text(text)
    with pytest.raises(SettingsError, match="bettors must be int"):
        load_settings({}, file)


def test_secrets_are_not_shown_and_nothing_can_be_changed() -> None:
    settings = load_settings({"ABLY_API_KEY": "app.key:secret"})
    assert "secret" not in str(settings.shown())
    assert settings.shown()["ably_api_key"] == "***"
    with pytest.raises(FrozenInstanceError):
        settings.partitions = 2  # type: ignore[misc]


def test_a_problem_never_tells_a_secret() -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings({"ABLY_API_KEY": "app.key:hunter2:more"})
    assert "hunter2" not in caught.value.message
