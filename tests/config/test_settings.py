"""The environment becomes settings once, whole, and with errors that say how to mend it."""

from __future__ import annotations

import subprocess
import sys

import pytest
from kombu import Connection, Queue
from redis import Redis

from crawler.config import SettingsError
from crawler.config.celery import celery_settings
from crawler.config.settings import Settings, environment, load, unknown, variable
from crawler.local.embedded import PrivateRedis
from crawler.redaction import masked
from tests.support.patience import PATIENCE


@pytest.fixture(autouse=True)
def empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(variable(name), raising=False)


def test_without_any_variable_everything_is_local_and_has_a_default():
    settings = load()
    assert (settings.redis_url, settings.broker_url, settings.chrome_url) == (None, None, None)
    assert settings.queue == "crawler"
    assert settings.crawls == ()


def test_a_variable_is_read_at_each_call_and_empty_is_unset(monkeypatch):
    monkeypatch.setenv("CRAWLER_CRAWLS", "shop.crawls, news.crawls,")
    monkeypatch.setenv("CRAWLER_LOG_LEVEL", "debug")
    monkeypatch.setenv("CRAWLER_CHROME_URL", "")
    settings = load()
    assert settings.crawls == ("shop.crawls", "news.crawls")
    assert settings.log_level == "DEBUG"
    assert settings.chrome_url is None
    monkeypatch.setenv("CRAWLER_LOG_LEVEL", "ERROR")
    assert load().log_level == "ERROR"


def test_a_given_setting_wins_over_the_environment(monkeypatch):
    monkeypatch.setenv("CRAWLER_TICK_INTERVAL", "3")
    assert load(tick_interval=7).tick_interval == 7


@pytest.mark.parametrize(
    ("frontier", "broker"),
    [
        ("redis://localhost", "redis://localhost/1"),
        ("redis://localhost:6379/0", "redis://localhost:6379/1"),
        ("redis://:s3cret@db:6380/3", "redis://:s3cret@db:6380/4"),
        ("redis://db?db=2", "redis://db/3"),
        ("redis://db/15", "redis://db/14"),
        ("redis://db/0?health_check_interval=5", "redis://db/1"),
        ("unix:///run/redis.sock?db=0", "redis+socket:///run/redis.sock?virtual_host=1"),
        ("unix:///run/a b.sock", "redis+socket:///run/a%20b.sock?virtual_host=1"),
        (
            "rediss://db/0?ssl_ca_certs=/ca.pem",
            "rediss://db/1?ssl_ca_certs=%2Fca.pem&ssl_cert_reqs=required",
        ),
        ("redis+sentinel://:s3cret@a:1,b/shop", "redis+sentinel://:s3cret@a:1,b/shop/1"),
        (
            "rediss+sentinel://a,b/shop/15?ssl_ca_certs=/ca.pem",
            "rediss+sentinel://a,b/shop/14?ssl_ca_certs=%2Fca.pem",
        ),
    ],
)
def test_the_broker_is_the_next_database_of_the_frontiers_server(frontier, broker):
    settings = load(redis_url=frontier)
    assert settings.broker_url == broker
    config = celery_settings(settings)
    Connection(  # kombu accepts it; an option that it does not know would raise here
        config["broker_url"],
        transport=config["broker_transport"],
        transport_options=config["broker_transport_options"],
        ssl=config.get("broker_use_ssl"),
    )


def test_sentinels_are_told_to_kombu_in_its_own_words():
    url = "rediss+sentinel://me:s3cret@a:1,b/shop/3?ssl_ca_certs=/ca.pem&ssl_check_hostname=no&sentinel_password=0ther"
    config = celery_settings(load(broker_url=url))
    assert config["broker_url"] == "sentinel://me:s3cret@a:1/3;sentinel://me:s3cret@b/3"
    assert config["broker_use_ssl"] == {"ssl_ca_certs": "/ca.pem", "ssl_check_hostname": False}
    options = config["broker_transport_options"]
    assert options["master_name"] == "shop"
    assert (
        options["sentinel_kwargs"].items()
        >= {"ssl": True, "ssl_ca_certs": "/ca.pem", "password": "0ther"}.items()
    )
    connection = Connection(
        config["broker_url"], transport_options=options, ssl=config["broker_use_ssl"]
    )
    assert (connection.virtual_host, connection.userid, connection.password) == (
        "3",
        "me",
        "s3cret",
    )


def test_a_broker_behind_tls_is_verified_unless_the_url_says_otherwise():
    assert load(broker_url="rediss://db/1").broker_url == "rediss://db/1?ssl_cert_reqs=required"
    assert (
        load(broker_url="rediss://db/1?ssl_cert_reqs=none").broker_url
        == "rediss://db/1?ssl_cert_reqs=none"
    )


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("CRAWLER_REDIS_URL", "http://u:s3cret@db", "must begin with redis:// or rediss://"),
        ("CRAWLER_REDIS_URL", "localhost:6379", "it has no scheme"),
        ("CRAWLER_REDIS_URL", "redis://", "names no host"),
        ("CRAWLER_REDIS_URL", "redis://db:port/0", "host or port cannot be read"),
        ("CRAWLER_REDIS_URL", "redis://:s3cret/1@db/0", "written as %2F"),
        ("CRAWLER_REDIS_URL", "redis://db/first", "its database is no number"),
        ("CRAWLER_REDIS_URL", "unix://", "names no socket"),
        ("CRAWLER_REDIS_URL", "redis+cluster://:s3cret@a:1,b:port", "host or port cannot be read"),
        ("CRAWLER_REDIS_URL", "redis+cluster://:s3cret@a:1/2", "a Cluster has none"),
        ("CRAWLER_REDIS_URL", "redis+sentinel://:s3cret@a:1,b:2", "names no master"),
        (
            "CRAWLER_REDIS_URL",
            "redis+sentinel://:s3cret@a:1,b:2/shop/x",
            "its database is no number",
        ),
        ("CRAWLER_REDIS_URL", "redis+sentinel://:s3cret@a:1,,b:2/shop", "names no host"),
        (
            "CRAWLER_BROKER_URL",
            "sentinel://:s3cret@a:1;sentinel://:s3cret@b:2",
            "or redis+sentinel:// or",
        ),
        (
            "CRAWLER_BROKER_URL",
            "redis+cluster://:s3cret@a",
            "must begin with redis:// or rediss://",
        ),
        (
            "CRAWLER_BROKER_URL",
            "amqp://u:s3cret@db",
            "must begin with redis:// or rediss:// or redis+socket://",
        ),
        ("CRAWLER_CHROME_URL", "grid:4444", "must begin with http:// or https://"),
        ("CRAWLER_TICK_INTERVAL", "-1", "should be greater than 0"),
        ("CRAWLER_TICK_INTERVAL", "soon", "valid number"),
        ("CRAWLER_EVENTS", "perhaps", "valid boolean"),
        ("CRAWLER_LOG_LEVEL", "loud", "'DEBUG', 'INFO'"),
        ("CRAWLER_QUEUE", "my queue", "should match pattern"),
        ("CRAWLER_RUN_TIMEOUT", "50", "must be more than page_load_timeout + 15"),
        ("CRAWLER_VISIBILITY_TIMEOUT", "60", "must be more than run_timeout + 30"),
        ("CRAWLER_SCRIPT_TIMEOUT", "nan", "finite number"),
    ],
)
def test_a_fault_is_one_line_with_the_variable_and_no_password(monkeypatch, name, value, said):
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as error:
        load()
    text = str(error.value)
    assert text.startswith(f"{name}: ")
    assert said in text
    assert "\n" not in text
    assert "s3cret" not in text + repr(error.value.__cause__)


def test_all_faults_are_told_at_once(monkeypatch):
    monkeypatch.setenv("CRAWLER_REDIS_URL", "nonsense")
    monkeypatch.setenv("CRAWLER_TICK_INTERVAL", "0")
    with pytest.raises(
        SettingsError,
        match=(
            r"^CRAWLER_REDIS_URL: .*\(for example: redis://localhost:6379/0\);"
            r" CRAWLER_TICK_INTERVAL: "
        ),
    ):
        load()


def test_a_cluster_asks_for_a_broker_of_its_own():
    with pytest.raises(SettingsError, match="CRAWLER_BROKER_URL: must be set"):
        load(redis_url="redis+cluster://db")
    assert (
        load(redis_url="redis+cluster://db", broker_url="redis://other").broker_url
        == "redis://other"
    )


def test_a_misspelt_name_is_found(monkeypatch):
    monkeypatch.setenv("CRAWLER_REDIS_ULR", "redis://db")
    assert unknown("CRAWLER_SECRET_")["CRAWLER_REDIS_ULR"] == "CRAWLER_REDIS_URL"
    with pytest.raises(SettingsError, match=r"redis_ulr: is no setting \(redis_url is\)"):
        load(redis_ulr="redis://db")


def test_settings_cannot_change_and_show_no_password():
    settings = load(redis_url="redis://:s3cret@db/0", chrome_url="http://u:s3cret@grid:4444/")
    assert "s3cret" not in repr(settings)
    with pytest.raises(ValueError, match="frozen"):
        settings.queue = "other"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("redis://:s3cret@db:6379/0", "redis://:***@db:6379/0"),
        (
            "Error 111 connecting to rediss://user:s3@cret@db:6379.",
            "Error 111 connecting to rediss://user:***@db:6379.",
        ),
        (
            "sentinel://:s3cret@a:1;sentinel://:s3cret@b:2",
            "sentinel://:***@a:1;sentinel://:***@b:2",
        ),
        ("http://grid:4444/wd/hub?token=s3cret&x=1", "http://grid:4444/wd/hub?token=***&x=1"),
        (
            "redis+sentinel://u:s3cret@a:1,b:2/shop?sentinel_password=s3cret",
            "redis+sentinel://u:***@a:1,b:2/shop?sentinel_password=***",
        ),
        ("rediss://db?ssl_password=s3cret&db=1", "rediss://db?ssl_password=***&db=1"),
        ("http://site:8080/@user/page", "http://site:8080/@user/page"),
        ("no URL", "no URL"),
    ],
)
def test_passwords_are_masked_wherever_a_url_is_shown(text, shown):
    assert masked(text) == shown


def test_settings_travel_to_a_child_process_as_its_environment(monkeypatch):
    settings = load(
        redis_url="unix:///run/r.sock?db=0",
        crawls=("a.crawls", "b.toml"),
        tick_interval=2.5,
        events=False,
    )
    for name, value in environment(settings).items():
        monkeypatch.setenv(name, value)
    assert load() == settings


def test_the_settings_are_read_without_the_libraries_that_load_slowly():
    code = "import crawler.config.settings as s, sys; s.load(); print(*sys.modules)"
    process = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    loaded = set(process.stdout.split())
    assert loaded.isdisjoint({"celery", "kombu", "redis", "selenium", "django", "click", "rich"})
    assert "pydantic_settings" in loaded


def test_a_run_is_acknowledged_early_and_none_is_fetched_ahead():
    config = celery_settings(load(redis_url="redis://db"))
    assert config["task_acks_late"] is False
    assert config["worker_disable_prefetch"] is True


def test_each_limit_is_above_the_one_inside_it():
    settings = load(redis_url="redis://db")
    config = celery_settings(settings)
    ladder = [
        # a crawl's page deadline
        settings.script_timeout,
        settings.page_load_timeout,
        settings.http_timeout,
        180.0,
        config["task_soft_time_limit"],
        config["task_time_limit"],
        config["broker_transport_options"]["visibility_timeout"],
    ]
    assert ladder == sorted(set(ladder))


def test_celery_knows_one_queue_and_sends_all_our_tasks_there():
    config = celery_settings(load(queue="books"))
    assert [(type(q), q.name, q.routing_key) for q in config["task_queues"]] == [
        (Queue, "books", "books")
    ]
    assert config["task_routes"] == {"crawler.*": {"queue": "books"}}
    assert config["task_create_missing_queues"] is False


def test_only_json_is_accepted():
    config = celery_settings(load())
    assert config["accept_content"] == ["json"]
    assert {config["task_serializer"], config["result_serializer"]} == {"json"}


def test_events_can_be_switched_off():
    config = celery_settings(load(events=False))
    assert (config["worker_send_task_events"], config["task_send_sent_event"]) == (False, False)


def test_a_message_passes_through_the_derived_broker_under_the_prefix(
    redis_server: PrivateRedis, redis
):
    settings = load(redis_url=redis_server.url, key_prefix="shop:")
    options = celery_settings(settings)["broker_transport_options"]
    with (
        Connection(settings.broker_url, transport_options=options) as connection,
        connection.SimpleQueue("crawler") as queue,
    ):
        queue.put({"crawl": "books"}, serializer="json")
        assert queue.get(timeout=PATIENCE).payload == {"crawl": "books"}
        assert redis.dbsize() == 0  # the frontier's database stays its own
        with Redis(unix_socket_path=str(redis_server.socket), db=1) as broker:
            assert {key.partition(b":")[0] for key in broker.scan_iter()} == {b"shop"}


def test_the_password_of_redis_may_come_as_a_file(tmp_path):
    secret = tmp_path / "redis_password"
    secret.write_text("a/b@c\n")
    settings = load(redis_password_file=secret, redis_url="redis://db:6380/3")
    assert settings.redis_url == "redis://:a%2Fb%40c@db:6380/3"
    assert settings.broker_url == "redis://:a%2Fb%40c@db:6380/4"
    named = load(redis_password_file=secret, redis_url="rediss+sentinel://me@s1,s2:26379/main")
    assert named.redis_url == "rediss+sentinel://me:a%2Fb%40c@s1,s2:26379/main"
    both = load(redis_password_file=secret, redis_url="redis://:own@db", broker_url="redis://mq/0")
    assert (both.redis_url, both.broker_url) == ("redis://:own@db", "redis://mq/0")
    secret.write_text("\n")
    for path, what in ((secret, "is empty"), (tmp_path / "none", "cannot be read: No such file")):
        with pytest.raises(SettingsError, match=f"^CRAWLER_REDIS_PASSWORD_FILE: {what}"):
            load(redis_password_file=path, redis_url="redis://db")


def test_the_secret_of_webhooks_may_come_as_a_file(tmp_path):
    file = tmp_path / "webhook_secret"
    file.write_text("a-secret-of-some-length\n")
    settings = load(webhook_secret_file=file)
    assert settings.webhook_secret == "a-secret-of-some-length"
    assert "a-secret-of-some-length" not in repr(settings)
    own = load(webhook_secret_file=file, webhook_secret="another-of-some-length")
    assert own.webhook_secret == "another-of-some-length"
    # what this process starts gets it, however it came
    variables = {
        name.removeprefix("CRAWLER_").lower(): text for name, text in environment(settings).items()
    }
    assert load(**variables) == settings
    file.write_text("short\n")
    for path, what in (
        (file, "must hold 16 to 256 characters"),
        (tmp_path / "none", "cannot be read: No such file"),
    ):
        with pytest.raises(SettingsError, match=f"^CRAWLER_WEBHOOK_SECRET_FILE: {what}") as error:
            load(webhook_secret_file=path)
        assert "short" not in str(error.value)


def test_beat_starts_crawls_by_lines_of_a_crontab(monkeypatch):
    monkeypatch.setenv("CRAWLER_SCHEDULE", "books 0 3 * * *; shop */30 8-18 * * 1,5;")
    settings = load()
    assert load(schedule=environment(settings)["CRAWLER_SCHEDULE"]) == settings
    entries = celery_settings(settings)["beat_schedule"]
    assert [(one["task"], one["args"], one["kwargs"]) for one in entries.values()] == [
        ("crawler.start", ("books",), {"if_exists": "restart"}),
        ("crawler.start", ("shop",), {"if_exists": "restart"}),
    ]
    assert entries["books 0 3 * * *"]["schedule"].hour == {3}
    with pytest.raises(SettingsError, match=r"^CRAWLER_SCHEDULE: 'books 3' is not a name and 5"):
        load(schedule="books 3")
    with pytest.raises(SettingsError, match=r"^CRAWLER_SCHEDULE: 'books 99 0"):
        celery_settings(load(schedule="books 99 0 * * *"))
    nightly = celery_settings(load(schedule="books 0 2 * * * recrawl"))["beat_schedule"]
    (entry,) = nightly.values()
    assert (entry["args"], entry["kwargs"]) == (("books",), {"if_exists": "recrawl"})
    assert entry["schedule"].hour == {2}
    assert "beat_schedule" not in celery_settings(load(schedule=""))
