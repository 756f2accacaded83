"""Every limit, by name and number, and the Sandbox that a child is given.

A number lives here and nowhere else; `linnet limits` prints this file.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

KIB, MIB = 1 << 10, 1 << 20


def _limit(value: Any, unit: str, meaning: str) -> Any:
    return field(default=value, metadata={"unit": unit, "meaning": meaning})


@dataclass(frozen=True)
class Limits:
    # what a caller may send
    request_bytes: int = _limit(512 * KIB, "bytes", "text of one request, UTF-8")
    schema_depth: int = _limit(32, "levels", "nesting of a JSON Schema or JSON value")
    schema_nodes: int = _limit(4_096, "schemas", "inside one tool's parameters, references written out")
    grammar_bytes: int = _limit(64 * KIB, "bytes", "grammar that a constraint lowers to")
    constraint_chars: int = _limit(64 * KIB, "characters", "that a constraint may ask for at one stretch")
    grammar_fuel: int = _limit(2_000_000, "steps", "of the lexer for one token, about 0.15 s of them")
    grammar_start_fuel: int = _limit(700_000, "steps", "of the lexer before the first token of a constraint")
    stops: int = _limit(16, "strings", "stop strings of one request")
    continuations: int = _limit(64, "texts", "continuations scored in one request")
    embedded_texts: int = _limit(256, "texts", "embedded in one request")
    embedded_tokens: int = _limit(512, "tokens", "of a text that are embedded as one; longer ones are read in parts")
    vector_width: int = _limit(8_192, "numbers", "of one embedding")
    answer_tokens: int = _limit(1_024, "tokens", "answer, unless the request says otherwise")
    request_seconds: float = _limit(600.0, "s", "deadline of one request, unless it says otherwise")
    queue: int = _limit(512, "requests", "accepted and not yet finished, per worker")
    # many requests, and files of them
    batch_requests_at_once: int = _limit(32, "requests", "of one batch with the model, unless the caller says so")
    batch_ahead: int = _limit(512, "requests", "of a batch that are read ahead of the oldest without an answer")
    batch_lines: int = _limit(1_000_000, "requests", "in one file")
    batch_line_bytes: int = _limit(4 * MIB, "bytes", "one line of such a file")
    batch_id_chars: int = _limit(256, "characters", "the id of a request in such a file")
    batch_takeover_seconds: float = _limit(
        30.0, "s", "that a batch on Ray waits for the output of one that was killed"
    )
    batch_replica_cores: int = _limit(4, "cores", "of one replica of a batch on Ray, unless the caller says how many")
    turns_at_once: int = _limit(8, "turns", "of one agent that run together, unless the caller says so")
    turns_waiting: int = _limit(512, "turns", "of one agent that an event loop has under way, waiting ones included")
    # an HTTP server
    http_body_bytes: int = _limit(8 * MIB, "bytes", "body of one HTTP request")
    http_bodies_bytes: int = _limit(256 * MIB, "bytes", "bodies of all HTTP requests that one server has at a time")
    http_header_bytes: int = _limit(32 * KIB, "bytes", "request line and headers of one HTTP request")
    http_header_seconds: float = _limit(10.0, "s", "from the first byte of an HTTP request to the end of its headers")
    http_body_seconds: float = _limit(30.0, "s", "from the end of the headers to the end of the body")
    http_write_seconds: float = _limit(60.0, "s", "that a client may leave its answer unread before it is cut off")
    http_idle_seconds: float = _limit(75.0, "s", "that a connection is kept open between two requests")
    http_connections: int = _limit(4_096, "connections", "that one server has open")
    http_queue: int = _limit(512, "requests", "that one server has accepted and not yet finished")
    http_at_once: int = _limit(8, "requests", "of one server that run together, unless set otherwise")
    http_keep_alive_seconds: float = _limit(10.0, "s", "longest silence of a stream of events; a comment breaks it")
    http_grace_seconds: float = _limit(30.0, "s", "that running requests have to end when the server is told to")
    agent_runs: int = _limit(256, "runs", "of agents that a server remembers: those under way, and the newest others")
    agent_runs_each: int = _limit(64, "runs", "of agents that one client has under way")
    agent_runs_bytes: int = _limit(64 * MIB, "bytes", "that these hold, texts and events, when another one begins")
    agent_run_bytes: int = _limit(4 * MIB, "bytes", "of events that one run keeps; of later ones only the kind")
    approval_seconds: float = _limit(600.0, "s", "that such a run waits for a decision on a call")
    json_depth: int = _limit(64, "levels", "nesting of the JSON in a request")
    json_values: int = _limit(200_000, "values", "and names of fields in the JSON of an HTTP request")
    alternatives: int = _limit(20, "tokens", "whose log-probability is told beside that of each token of an answer")
    spelled_tokens: int = _limit(64 * KIB, "tokens", "of one text that are told, or whose text is told")
    echoed_prompts: int = _limit(65, "texts", "whose own tokens one completion tells, with `echo` and `logprobs`")
    echoed_odds: int = _limit(128 * KIB, "numbers", "of all answers to such a completion, alternatives included")
    choices: int = _limit(8, "answers", "to one request, `n` in OpenAI's protocol")
    request_messages: int = _limit(2_048, "messages", "in one request")
    request_tools: int = _limit(128, "tools", "in one request")
    # replicas on other machines
    replica_beat_seconds: float = _limit(1.0, "s", "after which a replica says that a call is alive")
    replica_silence_seconds: float = _limit(6.0, "s", "of a replica in mid-answer, after which another one goes on")
    cluster_seconds: float = _limit(2.0, "s", "for an address of a cluster to take a connection, before Ray is asked")
    replica_orders: int = _limit(512, "prefixes", "whose order of replicas a router remembers")
    replica_stopped_seconds: float = _limit(10.0, "s", "for which a replica that could run does not, and is ended")
    replica_losses: int = _limit(5, "replicas", "lost with one request without a new token, before it is given up")

    # the pipe and the processes behind it
    record_bytes: int = _limit(16 * MIB, "bytes", "one record on the pipe")
    heartbeat_seconds: float = _limit(1.0, "s", "longest silence of an idle worker")
    progress_seconds: float = _limit(10.0, "s", "without progress that a worker could have used, before it is killed")
    start_seconds: float = _limit(60.0, "s", "without progress in loading, counted so, before a start is given up")
    starved_seconds: float = _limit(300.0, "s", "without progress by the clock, before either, whatever it could use")
    leaving_seconds: float = _limit(1.0, "s", "that a child whose pipe has ended could use, before it is killed")
    chunk_seconds: float = _limit(0.25, "s", "aim for one step while answers are being said: the gap between pieces")
    prefill_seconds: float = _limit(0.75, "s", "aim for one step while none is: cancel and heartbeat wait no longer")
    sequences: int = _limit(16, "sequences", "answers decoded together")
    restarts: int = _limit(5, "restarts", "without a new token within the window, before a worker is given up")
    restart_window_seconds: float = _limit(60.0, "s", "window of the restart budget")
    request_deaths: int = _limit(2, "deaths", "of workers that one request may be part of without a new token")
    request_crashes: int = _limit(16, "deaths", "of workers in the course of one request, new tokens or not")
    request_kills: int = _limit(
        4, "kills", "from outside of workers that one request was part of without a new token, the last alone"
    )
    token_text_bytes: int = _limit(4 * KIB, "bytes", "of text that a worker may say for each token, on average")
    poison_seconds: float = _limit(300.0, "s", "for which an input that has ended workers by itself is refused")
    poisons_kept: int = _limit(256, "inputs", "that are refused so, the newest")
    health_seconds: float = _limit(15.0, "s", "since the last token, within which a model is ready unprobed")
    probe_seconds: float = _limit(10.0, "s", "for the one token by which a model shows that it is ready")
    # the log
    log_bytes: int = _limit(8 * MIB, "bytes", "one file of the log; then another one is begun")
    logs_kept: int = _limit(4, "files", "of the log, the newest")
    log_line_bytes: int = _limit(16 * KIB, "bytes", "one event of the log")
    # computed prefixes of prompts on disk
    snapshot_bytes: int = _limit(
        128 * MIB, "bytes", "computed prefixes of a worker that wait to be stored; longer ones are cut"
    )
    snapshots_taken: int = _limit(64, "prefixes", "that one worker has stored; what comes later is not")
    snapshots_open: int = _limit(64, "prefixes", "on disk that a worker is handed, those last used")
    snapshots_kept: int = _limit(512, "prefixes", "kept on disk; those last used")
    snapshots_bytes: int = _limit(1 << 30, "bytes", "of all prefixes on disk")
    snapshot_header_bytes: int = _limit(MIB, "bytes", "what a prefix on disk says of itself")
    # computed prefixes in memory, beside the KV cache
    parked_bytes: int = _limit(64 * MIB, "bytes", "of computed prefixes that a worker keeps outside of its KV cache")
    parked_prefixes: int = _limit(256, "stretches", "of such prefixes; those last used stay")
    # several models side by side
    pool_queue: int = _limit(128, "requests", "that wait for memory which models in use hold")
    pool_patience_seconds: float = _limit(10.0, "s", "that one waits so while others still begin on those models")
    pool_events: int = _limit(256, "events", "of loading and unloading models that are remembered, the newest")
    idle_seconds: float = _limit(600.0, "s", "without a request before a model is unloaded, unless set otherwise")
    # a server that the user has configured
    remote_connect_seconds: float = _limit(10.0, "s", "connecting to a remote server")
    remote_silence_seconds: float = _limit(60.0, "s", "without a byte from a remote server")
    remote_reply_bytes: int = _limit(16 * MIB, "bytes", "one remote answer, as it comes over the line")
    remote_event_bytes: int = _limit(MIB, "bytes", "one event of a remote answer")
    remote_error_bytes: int = _limit(4 * KIB, "bytes", "what is read of a remote server's refusal")
    remote_calls: int = _limit(128, "calls", "of tools in one remote answer")
    remote_learn_seconds: float = _limit(5.0, "s", "finding out whether a remote server gives likelihoods")
    remote_learn_again_seconds: float = _limit(60.0, "s", "until one that did not answer to that is asked again")
    fleet_servers: int = _limit(64, "servers", "of one fleet")
    fleet_tries: int = _limit(3, "servers", "of a fleet that one request is sent to")
    fleet_waiting: int = _limit(512, "requests", "that wait for a server of a fleet")
    fleet_failures: int = _limit(3, "failures", "in a row after which a server is not asked for a while")
    fleet_open_seconds: float = _limit(60.0, "s", "longest such while before a server is probed again")
    fleet_probe_seconds: float = _limit(5.0, "s", "one look at a remote server's health")
    redactions: int = _limit(4_096, "texts", "that are kept from a server in one request")
    # models made of models
    cascade_attempts: int = _limit(16, "attempts", "of one fallback chain, one after the other")
    # templates and model files
    template_seconds: float = _limit(1.0, "s", "rendering one chat template")
    template_memory: int = _limit(64 * MIB, "bytes", "rendering one chat template, above its process's own")
    template_output: int = _limit(MIB, "bytes", "rendered prompt, beyond what the messages hold")
    template_options: int = _limit(64, "options", "that one request gives to a chat template")
    template_bytes: int = _limit(MIB, "bytes", "chat template in a file of its own")
    gguf_keys: int = _limit(65_536, "keys", "metadata keys of a model file")
    gguf_string_bytes: int = _limit(16 * MIB, "bytes", "one string of a model file")
    gguf_array: int = _limit(64 * MIB, "elements", "one array of a model file")
    gguf_strings: int = _limit(MIB, "strings", "one array of strings of a model file")
    gguf_dimensions: int = _limit(4, "dimensions", "one tensor of a model file")
    gguf_tensors: int = _limit(65_536, "tensors", "tensors of a model file")
    gguf_memory: int = _limit(64 * MIB, "bytes", "reading and checking a model file's header, in memory")
    model_faults: int = _limit(64, "faults", "told of one model file; what follows is not looked at")
    model_token_bytes: int = _limit(KIB, "bytes", "one token of a model, as long as constraints can follow it")
    model_blocks: int = _limit(512, "blocks", "layers of one model, the engine's own limit")
    model_experts: int = _limit(1_024, "experts", "in one layer of a model, the engine's own limit")
    model_size: int = _limit(16 * MIB, "units", "any one width, length or count that a model file declares")
    owner_chars: int = _limit(256, "characters", "name of the owner of a request")
    adapters: int = _limit(16, "adapters", "of one model that a worker holds")
    adapter_rank: int = _limit(1_024, "columns", "rank of a LoRA adapter")
    context_least: int = _limit(128, "tokens", "smallest context that a model is loaded with")
    # the store of models, and the hub that it is filled from
    hub_reply_bytes: int = _limit(16 * MIB, "bytes", "one listing of a repository, as JSON")
    hub_silence_seconds: float = _limit(15.0, "s", "without a byte from the hub before a connection is given up")
    hub_attempts: int = _limit(5, "attempts", "at one request to the hub without a new byte of the file")
    hub_wait_seconds: float = _limit(60.0, "s", "longest wait that the hub may ask for before the next attempt")
    hub_redirects: int = _limit(5, "redirects", "of one request to the hub")
    hub_reference_chars: int = _limit(512, "characters", "a name that says where a model comes from")
    model_name_chars: int = _limit(96, "characters", "name of a stored model")
    disk_spare_bytes: int = _limit(64 * MIB, "bytes", "left free on the disk beside a model that is fetched")
    # encodings of a model, and how far apart they are
    encode_seconds: float = _limit(3_600.0, "s", "re-encoding one model, unless the caller says otherwise")
    encode_memory: int = _limit(256 * MIB, "bytes", "re-encoding one model, beside its header and a stack per thread")
    encode_rows_bytes: int = _limit(64 * MIB, "bytes", "rows of a tensor that are re-encoded at once")
    stall_seconds: float = _limit(120.0, "s", "without progress before re-encoding or comparing is given up")
    compare_seconds: float = _limit(
        3_600.0, "s", "one model's predictions on texts, unless the caller says otherwise"
    )
    compared_texts: int = _limit(128, "texts", "on which two encodings of a model are compared")
    compared_text_bytes: int = _limit(16 * KIB, "bytes", "one of those texts, UTF-8")
    predictions_bytes: int = _limit(
        8 << 30, "bytes", "file of one model's predictions, with which others are compared"
    )
    encodings_tried: int = _limit(8, "types", "of weights that one `models encode --for-host` tries")
    encoding_rounds: int = _limit(99, "rounds", "in which one of those types is timed against the original")
    encoding_record_bytes: int = _limit(64 * KIB, "bytes", "record of what was found out of a model's encodings")
    mix_tokens: int = _limit(100_000, "tokens", "prompt or answer of the mix that encodings are measured for")
    # calls in a model's text
    parse_chars: int = _limit(8 * MIB, "characters", "one text in which calls are looked for")
    parse_calls: int = _limit(128, "calls", "in one text; what follows is text")
    parse_attempts: int = _limit(1_024, "beginnings", "of a call in one text that are looked into")
    call_chars: int = _limit(MIB, "characters", "one call, or one frame of calls, in a model's text")
    markup_tags: int = _limit(16_384, "tags", "of XML in one text that values are read from; what follows is text")
    # tools and turns
    profile_bytes: int = _limit(64 * KIB, "bytes", "stored profile of how a model calls tools")
    native_tools: int = _limit(64, "tools", "told to a model that calls them in its own notation")
    calls_per_request: int = _limit(8, "calls", "that one request is split into")
    turn_steps: int = _limit(4, "calls", "tool calls of one turn")
    counts_kept: int = _limit(8_192, "counts", "of tokens of messages that an agent remembers, the last used")
    summaries_kept: int = _limit(64, "texts", "summaries of conversations that an agent remembers, the last used")
    store_wait_seconds: float = _limit(5.0, "s", "for another process that is writing a memory or a cache")
    conversation_bytes: int = _limit(8 * MIB, "bytes", "one saved conversation")
    chat_history: int = _limit(1_000, "entries", "typed in a chat that are remembered, the newest")
    memory_facts: int = _limit(10_000, "facts", "in one memory")
    fact_chars: int = _limit(1_000, "characters", "one fact in a memory")
    recalled_facts: int = _limit(4, "facts", "that one request has recalled, unless its caller says otherwise")
    memory_turns: int = _limit(1_000, "turns", "in the journal of a memory, the newest")
    journal_chars: int = _limit(16_384, "characters", "one request, answer or list of steps in the journal")
    run_id_chars: int = _limit(128, "characters", "the id of a run that can be continued")
    journal_seconds: float = _limit(45.0, "s", "that the server of a shared journal of runs is waited for")
    journal_lease_seconds: float = _limit(30.0, "s", "after which a run whose machine is silent may be taken over")
    runs_kept: int = _limit(10_000, "runs", "that can be continued, the newest")
    cache_bytes: int = _limit(64 * MIB, "bytes", "answers in one cache, unless set otherwise")
    cache_entries: int = _limit(100_000, "answers", "in one cache")
    embeddings_kept: int = _limit(10_000, "embeddings", "in one cache, the last used")
    tool_seconds: float = _limit(30.0, "s", "one tool call, unless the tool says otherwise")
    tool_output_bytes: int = _limit(MIB, "bytes", "what one tool call may return, as JSON")
    rule_chars: int = _limit(4_096, "characters", "longest request that a rule looks at, prefix rules aside")
    # intents
    intents: int = _limit(1_024, "intents", "of one router or classifier")
    intent_name_chars: int = _limit(128, "characters", "name of an intent")
    intent_chars: int = _limit(1_024, "characters", "an example, or a request that has an intent")
    intent_examples: int = _limit(100_000, "examples", "that one classifier is trained on")
    intent_examples_bytes: int = _limit(64 * MIB, "bytes", "one file of examples")
    intent_ngrams: int = _limit(512 * KIB, "n-grams", "that a classifier of intents knows")
    intent_weights: int = _limit(64 * MIB, "weights", "of one classifier: its n-grams times its intents")
    intent_file_bytes: int = _limit(96 * MIB, "bytes", "one classifier on disk, and again unpacked")
    # examples to learn tool calls from
    training_examples: int = _limit(1_000_000, "examples", "in one file of examples of tool calls")
    training_line_bytes: int = _limit(256 * KIB, "bytes", "one line of such a file: tools, request and calls")
    training_fewest_examples: int = _limit(30, "examples", "that an adapter may be learned from: some are held out")
    training_lesson_tokens: int = _limit(1_536, "tokens", "of a lesson's text; longer ones are passed over")
    training_step_tokens: int = _limit(16_384, "tokens", "that one step of a training may learn from")
    training_minutes: int = _limit(10_080, "minutes", "of one training: a week")
    training_rank: int = _limit(256, "columns", "rank of an adapter that is trained here")
    calculator_seconds: float = _limit(0.2, "s", "one calculation")
    calculator_chars: int = _limit(1_000, "characters", "one expression")
    calculator_depth: int = _limit(200, "levels", "nesting of one expression; a sum of n numbers nests n deep")
    calculator_parentheses: int = _limit(40, "levels", "of brackets, or of `half of half of`, in one request")
    calculator_digits: int = _limit(4_096, "digits", "any whole number within one calculation")
    # small steps, what checks them, and Python that a model wrote
    chain_steps: int = _limit(32, "steps", "of one chain, or one verified answer")
    step_tries: int = _limit(8, "tries", "at one question of a chain")
    step_samples: int = _limit(16, "answers", "drawn in one try, for most of them to agree")
    checked_chars: int = _limit(64 * KIB, "characters", "one answer that a check reads")
    python_chars: int = _limit(16 * KIB, "characters", "one piece of Python that is parsed or run")
    python_pieces: int = _limit(64, "pieces", "of Python that are run one after the other")
    python_depth: int = _limit(100, "levels", "nesting of its syntax tree")
    python_seconds: float = _limit(10.0, "s", "running all of its pieces, once their process has started")
    python_piece_seconds: float = _limit(1.0, "s", "of processor time, one of those pieces")
    python_memory: int = _limit(64 * MIB, "bytes", "it may take, above its process's own")
    python_output: int = _limit(16 * KIB, "characters", "of what it prints that are kept")
    # the prompt lab
    lab_file_bytes: int = _limit(256 * KIB, "bytes", "one case file of the prompt lab")
    lab_depth: int = _limit(48, "levels", "nesting of a case file")
    lab_values: int = _limit(50_000, "values", "in one case file, aliases written out")
    lab_cases: int = _limit(2_000, "cases", "in one case file")
    lab_variants: int = _limit(64, "variants", "that one case file compares")
    lab_journal_bytes: int = _limit(256 * MIB, "bytes", "answers of the prompt lab in one file")
    # programs that a tool runs
    program_output_bytes: int = _limit(
        MIB, "bytes", "kept of each output of one program, unless its caller says less"
    )
    program_memory: int = _limit(512 * MIB, "bytes", "one program and all that it starts, unless its caller says so")
    program_file_bytes: int = _limit(64 * MIB, "bytes", "one file that a program writes")
    program_tasks: int = _limit(
        256, "tasks", "processes and threads that one program has at a time, its own included"
    )
    program_roots: int = _limit(32, "places", "that one program may read, and as many that it may write")
    program_words: int = _limit(1_024, "words", "arguments of one program, or variables of its environment")
    program_words_bytes: int = _limit(128 * KIB, "bytes", "all of these words together")
    file_read_bytes: int = _limit(256 * KIB, "bytes", "one file read into an answer")
    file_write_bytes: int = _limit(MIB, "bytes", "one file that is written, with what is kept of it")
    file_listing: int = _limit(1_000, "entries", "one listing or search result")
    file_entries: int = _limit(100_000, "entries", "of folders looked at by one listing or search")
    file_search_bytes: int = _limit(64 * MIB, "bytes", "text looked at by one search")
    fetch_seconds: float = _limit(15.0, "s", "fetching one page, redirects included")
    fetch_connect_seconds: float = _limit(5.0, "s", "connecting to one address of a page")
    fetch_bytes: int = _limit(5_000_000, "bytes", "one page, as sent and as unpacked")
    fetch_hops: int = _limit(5, "redirects", "from the address of a page to the page")
    fetch_url_chars: int = _limit(2_048, "characters", "one web address")
    sql_seconds: float = _limit(2.0, "s", "one query of a database")
    sql_rows: int = _limit(1_000, "rows", "of one query that are kept")
    sql_cell_chars: int = _limit(4_096, "characters", "one text of a row that are kept")
    sql_value_bytes: int = _limit(64 * KIB, "bytes", "any one value that SQLite makes or reads, and any query of it")
    sql_tables: int = _limit(64, "tables", "of one database that are listed")
    sql_columns: int = _limit(32, "columns", "of one table that are listed")
    mcp_tools: int = _limit(128, "tools", "of one MCP server that are offered")
    mcp_pages: int = _limit(16, "pages", "of one MCP server's list of tools that are asked for")
    mcp_parameters: int = _limit(8, "parameters", "of one such tool that are shown, required ones aside")
    mcp_description_chars: int = _limit(
        160, "characters", "what one such tool says of itself; half of it a parameter"
    )
    page_chars: int = _limit(64 * KIB, "characters", "text of one page that is kept")
    page_seconds: float = _limit(8.0, "s", "finding the text of one page")
    page_memory: int = _limit(512 * MIB, "bytes", "finding the text of one page, above its process's own")
    file_depth: int = _limit(32, "levels", "folders below the root that a search enters")

    def rows(self) -> list[dict[str, Any]]:
        """`{name, value, unit, meaning}` for each limit, in the order of this file."""
        return [{"name": f.name, "value": getattr(self, f.name), **f.metadata} for f in fields(self)]


LIMITS = Limits()


@dataclass(frozen=True)
class Sandbox:
    """What a child may touch, chosen by the caller and applied by the child to itself before it loads.

    `files`: no path at all may be opened, listed or made; descriptors handed over stay usable.
    `network`: no socket may be made. `processes`: no program may be run, no process signalled or traced.
    `memory`: bytes of private data (RLIMIT_DATA), 0 for none; mapped weights do not count.
    `file_bytes`: what a file that was handed over for writing may grow to; with `files` only.
    `required`: refuse to start rather than run with less.
    """

    files: bool = True
    network: bool = True
    processes: bool = True
    memory: int = 0
    file_bytes: int = 0
    required: bool = False
