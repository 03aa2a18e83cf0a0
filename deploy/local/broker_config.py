"""The files the local broker is started with: server properties and the set-up of its log."""

from pathlib import Path

from pipelines.limits import RECORD_BYTES_MAX

__all__ = ["logging_properties", "server_properties"]

LOOPBACK = "127.0.0.1"


def server_properties(data_dir: Path, port: int, controller_port: int) -> str:
    """One combined broker and controller whose listeners are all on loopback."""
    values: dict[str, object] = {
        "process.roles": "broker,controller",
        "node.id": 1,
        "controller.quorum.bootstrap.servers": f"{LOOPBACK}:{controller_port}",
        "listeners": f"PLAINTEXT://{LOOPBACK}:{port},CONTROLLER://{LOOPBACK}:{controller_port}",
        "advertised.listeners": (
            f"PLAINTEXT://{LOOPBACK}:{port},CONTROLLER://{LOOPBACK}:{controller_port}"
        ),
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "PLAINTEXT",
        "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
        "log.dirs": data_dir / "kafka",
        "auto.create.topics.enable": "false",
        # Room for the batch's and the record's own fields around the largest value.
        "message.max.bytes": 4 * RECORD_BYTES_MAX,
        # One copy of everything: there is one broker.
        "offsets.topic.replication.factor": 1,
        "offsets.topic.num.partitions": 1,
        "transaction.state.log.replication.factor": 1,
        "transaction.state.log.min.isr": 1,
        "transaction.state.log.num.partitions": 1,
        "share.coordinator.state.topic.replication.factor": 1,
        "share.coordinator.state.topic.min.isr": 1,
        "group.initial.rebalance.delay.ms": 0,
        "num.network.threads": 2,
        "num.io.threads": 2,
        "num.recovery.threads.per.data.dir": 2,
        # After a kill the node may register again only when its last session has run out.
        "broker.session.timeout.ms": 3_000,
        "broker.heartbeat.interval.ms": 500,
        # A transaction of a killed producer is aborted soon after its timeout.
        "transaction.abort.timed.out.transaction.cleanup.interval.ms": 1_000,
    }
    return "".join(f"{name}={_escaped(value)}\n" for name, value in values.items())


def logging_properties(log_file: Path, file_bytes_max: int) -> str:
    """Log4j 2 set-up: warnings of Kafka, and its start and stop, in one file and one older one."""
    file, older = _escaped(log_file), _escaped(log_file.with_name(log_file.name + ".1"))
    return f"""\
status = error
appender.file.type = RollingFile
appender.file.name = file
appender.file.fileName = {file}
appender.file.filePattern = {older}
appender.file.layout.type = PatternLayout
appender.file.layout.pattern = %d{{yyyy-MM-dd HH:mm:ss,SSS}} %p %c{{1}} %m%n
appender.file.policies.type = Policies
appender.file.policies.size.type = SizeBasedTriggeringPolicy
appender.file.policies.size.size = {file_bytes_max}
appender.file.strategy.type = DefaultRolloverStrategy
appender.file.strategy.max = 1
rootLogger.level = warn
rootLogger.appenderRef.file.ref = file
logger.server.name = kafka.server.KafkaRaftServer
logger.server.level = info
"""


def _escaped(value: object) -> str:
    return str(value).replace("\\", "\\\\")
