"""The settings that bound what clients may ask for, and what they may take of the server.

Sizes are in bytes, times in seconds; ``docs/limits.md`` explains them.
"""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import BaseSettings

from lamia_gql.domain.setting_types import Timeout

MAX_INT = 2**31 - 1
"""The largest Int of GraphQL."""
MAX_COST = 2**53 - 1
"""The largest cost that is reported: the largest integer that every JSON parser reads exactly."""
MIN_RATE = 1e-9
"""A client would have to wait for decades until it may ask again; with much less, for ever."""


class Limits(BaseSettings):
    """The limits among the settings of a server."""

    page_limit: int = Field(100, ge=1, description="The largest value of `first` and `last`.")
    timeline_limit: int = Field(
        500, ge=2, description="The largest number of points of a `timeline`."
    )
    max_job_count: int = Field(
        1_000_000,
        ge=1,
        le=MAX_INT,
        description="The largest number of jobs in one array.",
    )
    max_processes: int = Field(
        1_000, ge=1, description="The largest number of processes in one task."
    )
    max_tasks_per_request: int = Field(
        100,
        ge=1,
        description="The largest number of tasks that one request may create, edit or delete.",
    )
    max_events_per_request: int = Field(
        1_000, ge=1, description="The largest number of events that one request may submit."
    )
    max_name_length: int = Field(
        200,
        ge=1,
        le=255,
        description="The largest number of characters in a name of a task, process, tag or user.",
    )
    max_text_length: int = Field(
        4_096,
        ge=1,
        description="The largest number of characters in a comment, e-mail address or host name.",
    )
    max_payload_bytes: int = Field(
        65_536, ge=0, description="The largest JSON payload of one event, in bytes."
    )
    max_config_bytes: int = Field(
        1_048_576,
        ge=0,
        description="The largest JSON config, or dependency graph, of one task, in bytes.",
    )
    max_request_bytes: int = Field(
        16_777_216, ge=1024, description="The largest body of one HTTP request, in bytes."
    )
    max_total_request_bytes: int = Field(
        268_435_456,
        ge=1024,
        description="The largest size in bytes of all requests that a server process is receiving"
        " or answering, and of the answers that clients have not read; beyond, it is BUSY for the"
        " largest.",
    )
    request_timeout: float = Field(
        20.0,
        gt=0,
        description="The time in seconds in which a client must send the headers of a request, and"
        " then its body; a body has a second more for each 16 KiB.",
    )
    max_document_characters: int = Field(
        20_000, ge=1_000, description="The largest number of characters in one GraphQL document."
    )
    max_document_tokens: int = Field(
        1_000,
        ge=200,
        le=20_000,
        description="The largest number of tokens in one GraphQL document.",
    )
    max_definitions: int = Field(
        50,
        ge=1,
        le=500,
        description="The largest number of operations and fragments in one GraphQL document.",
    )
    max_depth: int = Field(
        20,
        ge=1,
        le=50,
        description="The deepest nesting of the fields, or values, of an operation.",
    )
    max_aliases: int = Field(
        100, ge=0, description="The largest number of aliases in one GraphQL document."
    )
    max_duplicates: int = Field(
        100,
        ge=0,
        description="The largest number of fields in one GraphQL document that are selected again.",
    )
    max_directives: int = Field(
        50, ge=0, description="The largest number of directives in one GraphQL document."
    )
    max_cost: int = Field(
        125_000,
        ge=1,
        le=MAX_COST,
        description="The largest number of values that the answer to an operation may have.",
    )
    max_response_bytes: int = Field(
        67_108_864,
        ge=1_048_576,
        description="The largest answer to an operation, or result of a subscription, in bytes.",
    )
    max_operation_time: float = Field(
        30.0,
        gt=0,
        description="The time in seconds after which the reads of an operation are stopped.",
    )
    max_read_time: float = Field(
        10.0,
        gt=0,
        description="The time in seconds after which one read of the database is stopped.",
    )
    max_waiting_events: int = Field(
        50_000,
        ge=1,
        description="The largest number of events that may wait for their commit, of which one"
        " client may have half; beyond, the server is BUSY.",
    )
    max_event_rate: float | None = Field(
        None,
        ge=MIN_RATE,
        description="How many events a second one client may submit to a server process, on"
        " average over ten seconds: who has a credential, or else an address.",
    )
    max_operation_rate: float | None = Field(
        None,
        ge=MIN_RATE,
        description="How many requests and operations a second one client may send, likewise.",
    )
    max_cost_rate: float | None = Field(
        None,
        ge=MIN_RATE,
        description="How many values of answers a second one client may ask for, likewise.",
    )
    commit_batch: int = Field(
        1_000,
        ge=1,
        description="The number of events up to which requests are committed in one transaction.",
    )
    max_connections: int = Field(
        10_000,
        ge=2,
        description="The largest number of connections of any kind to one server process, of which"
        " one client address may have half; at most half of the files that the process may open.",
    )
    max_connections_per_address: int = Field(
        2_000,
        ge=1,
        description="The largest number of live connections, WebSocket and SSE, from one client"
        " address to one server process.",
    )
    max_subscriptions_per_connection: int = Field(
        256, ge=1, description="The largest number of concurrent operations on one WebSocket."
    )
    max_connection_bytes: int = Field(
        4_194_304,
        ge=1024,
        description="The largest size in bytes of all operations that run on one WebSocket, as its"
        " client has sent them.",
    )
    max_subscriptions_per_address: int = Field(
        4_000,
        ge=1,
        description="The largest number of concurrent operations on all WebSockets and event"
        " streams from one client address to one server process.",
    )
    max_subscription_bytes: int = Field(
        67_108_864,
        ge=1024,
        description="The largest size in bytes of all that runs on the WebSockets and event streams"
        " of one server process: the operations as sent, and the results that wait for clients.",
    )
    max_message_bytes: int = Field(
        1_048_576, ge=1024, description="The largest message of a WebSocket client, in bytes."
    )
    max_waiting_changes: int = Field(
        10_000,
        ge=1,
        description="The largest number of events, or changed tasks, that may wait for a"
        " subscriber; beyond, it is TOO_SLOW.",
    )
    send_timeout: Timeout = Field(
        30.0,
        description="The time in seconds after which a client that does not read is disconnected.",
    )
    snapshot_interval: float = Field(
        0.25,
        gt=0,
        description="The shortest time in seconds between two snapshots of a task that changes.",
    )
