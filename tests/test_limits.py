"""The limits: every one is a number with a unit and a meaning, printed, and obeyed by somebody."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import pytest

import linnet
from linnet.limits import LIMITS, Limits, Sandbox

ROWS = LIMITS.rows()
KEPT_BY_OTHERS = ["calculator_seconds"]
"""Limits that no code compares with: the numbers beside them bound the same thing."""

ONE_PAST = {
    "http_body_bytes": "interfaces/http/test_openai.py::test_bodies_over_the_limit_are_refused_and_one_below_is_looked_at",  # noqa: E501
    "http_header_bytes": "interfaces/http/test_bounds.py::test_headers_over_the_limit_are_refused",
    "http_keep_alive_seconds": "interfaces/http/test_streams.py::test_silence_is_broken_by_comments",
    "http_grace_seconds": "interfaces/http/test_bounds.py::test_what_does_not_end_in_time_is_cancelled_and_told",
    "request_messages": "interfaces/http/test_openai.py::test_what_cannot_be_is_refused_with_its_code",
    "http_bodies_bytes": "interfaces/http/test_body.py::test_all_bodies_together_are_bounded",
    "http_header_seconds": "interfaces/http/test_bounds.py::test_headers_that_do_not_end_are_cut_off",
    "http_body_seconds": "interfaces/http/test_bounds.py::test_a_body_that_does_not_end_is_cut_off",
    "http_write_seconds": "interfaces/http/test_bounds.py::test_who_does_not_read_is_cut_off_and_holds_no_seat",
    "http_idle_seconds": "interfaces/http/test_bounds.py::test_connections_are_bounded_and_idle_ones_end",
    "http_connections": "interfaces/http/test_bounds.py::test_connections_are_bounded_and_idle_ones_end",
    "http_queue": "interfaces/http/test_bounds.py::test_exactly_the_overflow_is_sent_away",
    "http_at_once": "interfaces/http/test_bounds.py::test_no_more_run_together_than_have_a_seat",
    "agent_runs": "interfaces/http/test_runs.py::test_the_oldest_that_are_over_are_forgotten",
    "agent_runs_each": "interfaces/http/test_runs.py::test_one_client_has_no_more_under_way_than_its_share",
    "agent_runs_bytes": "interfaces/http/test_runs.py::test_what_runs_hold_is_bounded_in_bytes_too",
    "agent_run_bytes": "interfaces/http/test_runs.py::test_one_run_keeps_no_more_events_than_its_share",
    "token_text_bytes": "runtime/test_supervisor.py::test_a_token_has_so_much_text_and_no_more",
    "approval_seconds": "interfaces/http/test_runs.py::test_no_decision_in_time_is_a_no",
    "json_depth": "interfaces/http/test_body.py::test_the_limit_of_nesting_holds_and_one_past_it_does_not",
    "json_values": "interfaces/http/test_body.py::test_the_limit_of_values_holds_and_one_past_it_does_not",
    "alternatives": "interfaces/http/test_openai.py::test_what_cannot_be_is_refused_with_its_code",
    "spelled_tokens": "interfaces/http/test_spelling.py::test_one_token_too_many_is_refused",
    "echoed_prompts": "interfaces/http/test_odds.py::test_what_no_echo_can_be_with_echoed_prompts_at_its_limit",
    "echoed_odds": "interfaces/http/test_odds.py::test_what_no_echo_can_be_with_echoed_prompts_at_its_limit",
    "choices": "interfaces/http/test_openai.py::test_what_cannot_be_is_refused_with_its_code",
    "request_tools": "interfaces/http/test_openai.py::test_what_cannot_be_is_refused_with_its_code",
    "training_examples": "evals/training/test_example.py::test_one_example_more_than_the_limit",
    "training_line_bytes": "evals/training/test_example.py::test_a_line_of_the_limit_and_one_byte_more",
    "training_fewest_examples": "evals/training/test_plan.py::test_one_example_less_than_can_be_learned_from",
    "training_lesson_tokens": "evals/training/test_plan.py::test_a_lesson_of_the_longest_text_and_one_token_more",
    "training_step_tokens": "evals/training/test_plan.py::test_a_recipe_at_its_limits_and_one_past",
    "training_minutes": "evals/training/test_plan.py::test_a_recipe_at_its_limits_and_one_past",
    "training_rank": "evals/training/test_plan.py::test_a_recipe_at_its_limits_and_one_past",
    "file_write_bytes": "agent/tools/test_writing.py::test_the_limit_of_bytes",
    "fetch_seconds": "agent/tools/test_web.py::test_the_deadline_is_for_all_of_it",
    "fetch_bytes": "agent/tools/test_web.py::test_the_size_of_a_page_and_one_more",
    "fetch_hops": "agent/tools/test_web.py::test_the_redirects_and_one_more",
    "fetch_url_chars": "agent/tools/test_web.py::test_an_address_and_one_character_more",
    "sql_seconds": "agent/tools/test_database.py::test_its_time_is_bounded_whatever_it_says",
    "sql_rows": "agent/tools/test_database.py::test_rows_up_to_the_limit_and_one_more",
    "sql_cell_chars": "agent/tools/test_database.py::test_long_texts_are_cut_and_said_so",
    "sql_value_bytes": "agent/tools/test_database.py::test_a_value_one_past_the_limit",
    "sql_tables": "agent/tools/test_database.py::test_many_tables_and_columns_are_cut",
    "sql_columns": "agent/tools/test_database.py::test_many_tables_and_columns_are_cut",
    "mcp_tools": "agent/tools/test_mcp.py::test_only_the_tools_that_are_wanted",
    "mcp_parameters": "agent/tools/test_mcp.py::test_what_the_model_is_told_is_short",
    "mcp_description_chars": "agent/tools/test_mcp.py::test_what_the_model_is_told_is_short",
    "page_chars": "agent/tools/test_web.py::test_long_texts_are_cut_and_said_so",
    "page_seconds": "agent/tools/test_web.py::test_the_time_that_its_text_may_take",
    "embedded_texts": "runtime/test_embedding.py::test_a_request_has_bounds",
    "embedded_tokens": "runtime/test_embedding.py::test_a_text_beyond_the_window_is_read_in_parts_and_told",
    "vector_width": "runtime/test_remote_vectors.py::test_no_server_is_believed",
    "parked_bytes": "worker/test_parked.py::test_the_limits_and_one_past_them",
    "parked_prefixes": "worker/test_parked.py::test_the_limits_and_one_past_them",
    "program_output_bytes": "runtime/test_programs.py::test_what_it_prints_is_bounded_and_counted",
    "program_file_bytes": "runtime/test_programs.py::test_a_file_is_bounded",
    "program_tasks": "runtime/test_programs.py::test_a_program_may_have_many_tasks",
    "program_roots": "runtime/test_programs.py::test_what_is_no_program_is_a_typed_error",
    "program_words": "runtime/test_programs.py::test_what_is_no_program_is_a_typed_error",
    "program_words_bytes": "runtime/test_programs.py::test_what_is_no_program_is_a_typed_error",
    "request_bytes": "agent/test_agent.py::test_a_request_one_past_the_limit",
    "lab_file_bytes": "evals/lab/test_marked.py::test_the_limit_of_bytes_and_one_more",
    "lab_depth": "evals/lab/test_marked.py::test_the_limit_of_depth_and_one_more",
    "lab_values": "evals/lab/test_marked.py::test_aliases_count_each_time_they_are_written",
    "lab_cases": "evals/lab/test_case_file.py::test_the_limits_of_cases_and_variants_and_one_more",
    "lab_variants": "evals/lab/test_case_file.py::test_the_limits_of_cases_and_variants_and_one_more",
    "lab_journal_bytes": "evals/lab/test_trial.py::test_the_limit_of_a_journal_and_one_more",
    "schema_depth": "test_schema.py::test_depth_ends_at_the_limit",
    "schema_nodes": "test_schema.py::test_the_number_of_schemas_ends_at_the_limit",
    "grammar_bytes": "worker/test_constrain.py::test_a_grammar_over_the_limit_is_refused_with_both_numbers",
    "grammar_fuel": "worker/test_constrain.py::test_a_pattern_that_explodes_is_accepted_quickly_or_refused",
    "constraint_chars": "worker/test_stretch.py::test_the_limit_and_one_past_it",
    "grammar_start_fuel": "worker/test_constrain.py::test_what_a_constraint_may_take_before_its_first_token",
    "stops": "test_limits_past.py::test_one_past_what_a_request_may_hold",
    "continuations": "test_limits_past.py::test_one_past_what_a_request_may_hold",
    "queue": "runtime/test_blame.py::test_one_past_the_queue_is_refused",
    "batch_ahead": "runtime/test_batch.py::test_requests_are_read_no_further_ahead_than_the_limit",
    "batch_lines": "agent/batch/test_lines.py::test_one_request_more_than_the_limit",
    "batch_line_bytes": "agent/batch/test_lines.py::test_a_line_may_be_as_long_as_the_limit_and_no_longer",
    "batch_takeover_seconds": "agent/batch/test_desk.py::test_an_output_that_is_held_is_waited_for_within_the_limit",
    "batch_replica_cores": "interfaces/scale/test_shares.py::test_one_core_more_than_usual_makes_no_replica_more",
    "batch_id_chars": "agent/batch/test_lines.py::test_a_bad_line_is_told_with_its_number_and_the_rest_goes_on",
    "turns_at_once": "agent/test_asynchronous.py::test_no_more_run_than_there_are_seats_and_no_more_wait_than_there_is_room",  # noqa: E501
    "turns_waiting": "agent/test_asynchronous.py::test_no_more_run_than_there_are_seats_and_no_more_wait_than_there_is_room",  # noqa: E501
    "replica_silence_seconds": "interfaces/scale/test_model.py::test_a_replica_that_goes_silent_is_left",
    "replica_beat_seconds": "interfaces/scale/test_model.py::test_one_that_says_that_it_lives_is_waited_for",
    "cluster_seconds": "interfaces/scale/test_cluster.py::test_one_that_does_not_answer_is_given_up_after_cluster_seconds",  # noqa: E501
    "replica_orders": "interfaces/scale/test_routing.py::test_orders_of_so_many_prefixes_are_remembered_and_no_more",
    "replica_stopped_seconds": "interfaces/scale/test_warden.py::test_what_stops_is_killed_and_what_runs_is_not",
    "replica_losses": "interfaces/scale/test_model.py::test_losses_one_past_replica_losses_are_given_up",
    "journal_seconds": "agent/test_shared_runs.py::test_one_that_does_not_come_back_within_journal_seconds_is_told",
    "journal_lease_seconds": "agent/test_shared_runs.py::test_who_is_silent_for_journal_lease_seconds_is_taken_over_and_makes_no_call",  # noqa: E501
    "record_bytes": "test_protocol.py::test_an_oversize_length_is_refused_before_its_bytes_arrive",
    "progress_seconds": "runtime/test_supervisor.py::test_a_hang_is_found_and_the_stream_goes_on",
    "start_seconds": "runtime/test_supervisor.py::test_what_always_hangs_fails_with_the_phase",
    "starved_seconds": "runtime/test_supervisor.py::test_but_not_for_ever_and_no_request_is_charged",
    "leaving_seconds": "runtime/test_child.py::test_what_does_not_leave_is_killed",
    "sequences": "worker/test_engine.py::test_more_than_can_run_together_wait_and_end",
    "restarts": "runtime/test_blame.py::test_the_budget_of_restarts_is_within_its_window_and_a_token_renews_it",
    "restart_window_seconds": "runtime/test_blame.py::test_deaths_before_the_window_do_not_count",
    "request_deaths": "runtime/test_supervisor.py::test_a_load_that_always_crashes_ends_sooner",
    "request_crashes": "runtime/test_blame.py::test_a_request_that_ends_worker_after_worker_is_convicted_in_spite_of_tokens",  # noqa: E501
    "request_kills": "runtime/test_blame.py::test_kills_from_outside_convict_late_and_only_who_is_alone",
    "poison_seconds": "runtime/test_blame.py::test_the_same_input_is_refused_for_a_while_and_no_other",
    "poisons_kept": "runtime/test_blame.py::test_only_so_many_are_remembered_the_newest",
    "health_seconds": "runtime/test_health.py::test_the_states",
    "probe_seconds": "runtime/test_health.py::test_a_worker_that_says_nothing_is_not_ready",
    "log_bytes": "test_log.py::test_several_processes_write_one_file_and_rotate_it",
    "logs_kept": "test_log.py::test_several_processes_write_one_file_and_rotate_it",
    "log_line_bytes": "test_log.py::test_an_event_that_is_too_long_is_told_as_such",
    "snapshot_bytes": "runtime/test_snapshots_store.py::test_a_worker_is_lent_memory_and_what_there_is",
    "snapshots_taken": "worker/test_snapshots.py::test_a_worker_takes_so_many_and_no_more",
    "snapshots_open": "runtime/test_snapshots_store.py::test_no_more_are_lent_than_may_be_open",
    "snapshots_kept": "runtime/test_snapshots_store.py::test_what_was_used_longest_ago_goes",
    "snapshots_bytes": "runtime/test_snapshots_store.py::test_one_byte_too_many_is_too_many",
    "snapshot_header_bytes": "runtime/test_snapshots_store.py::test_a_head_that_is_too_long_is_not_written",
    "pool_queue": "runtime/pool/test_pool.py::test_one_more_than_may_wait_is_refused",
    "pool_patience_seconds": "runtime/pool/test_pool.py::test_newcomers_give_way_to_one_who_has_waited_long",
    "pool_events": "runtime/pool/test_pool.py::test_the_newest_events_are_kept",
    "remote_connect_seconds": "runtime/test_remote.py::test_silence_and_deadline",
    "remote_silence_seconds": "runtime/test_remote.py::test_silence_and_deadline",
    "remote_reply_bytes": "runtime/test_remote.py::test_the_whole_answer_has_a_limit",
    "remote_event_bytes": "runtime/test_remote.py::test_one_event_has_a_limit",
    "remote_error_bytes": "test_limits_past.py::test_a_refusal_is_read_no_further_than_the_limit",
    "remote_calls": "runtime/test_remote.py::test_calls_have_a_limit",
    "remote_learn_seconds": "runtime/likelihoods/test_likelihoods.py::test_finding_out_ends_after_remote_learn_seconds",  # noqa: E501
    "remote_learn_again_seconds": "runtime/likelihoods/test_likelihoods.py::test_one_that_does_not_answer_is_asked_again_after_remote_learn_again_seconds",  # noqa: E501
    "fleet_servers": "runtime/fleet/test_fleet.py::test_what_no_fleet_can_be",
    "fleet_tries": "runtime/fleet/test_fleet.py::test_a_request_that_fails_everywhere_is_sent_to_so_many_and_no_more",
    "fleet_waiting": "runtime/fleet/test_fleet.py::test_one_more_than_may_wait_is_refused",
    "fleet_failures": "runtime/fleet/test_circuit.py::test_it_opens_at_the_limit_of_failures_and_not_before",
    "fleet_open_seconds": "runtime/fleet/test_circuit.py::test_a_server_may_ask_for_a_while_but_not_for_ever",
    "fleet_probe_seconds": "runtime/fleet/test_fleet.py::test_a_look_has_a_time",
    "redactions": "agent/test_redact.py::test_how_many_texts_can_be_kept_back",
    "cascade_attempts": "agent/test_cascade.py::test_what_cannot_be",
    "template_seconds": "runtime/test_renderer.py::test_a_template_without_end_is_stopped_in_its_time",
    "template_memory": "worker/test_render.py::test_memory_bombs_go_off_in_the_child_alone",
    "template_output": "worker/test_render.py::test_the_limit_of_output_is_beyond_what_the_messages_hold",
    "template_options": "test_limits_past.py::test_one_past_what_a_request_may_hold",
    "template_bytes": "models/test_configuration.py::test_a_template_that_cannot_be_used",
    "gguf_keys": "models/test_gguf.py::test_one_past_each_limit_even_when_the_file_is_long_enough",
    "gguf_string_bytes": "models/test_gguf.py::test_one_past_each_limit_even_when_the_file_is_long_enough",
    "gguf_array": "models/test_gguf.py::test_one_past_each_limit_even_when_the_file_is_long_enough",
    "gguf_strings": "models/test_gguf.py::test_one_past_each_limit_even_when_the_file_is_long_enough",
    "gguf_dimensions": "models/test_gguf.py::test_one_past_each_limit_even_when_the_file_is_long_enough",
    "gguf_tensors": "models/test_gguf.py::test_one_past_each_limit_even_when_the_file_is_long_enough",
    "gguf_memory": "models/test_gguf.py::test_one_past_each_limit_even_when_the_file_is_long_enough",
    "model_faults": "models/test_adapters.py::test_no_more_faults_than_the_limit_are_told",
    "model_token_bytes": "models/test_integrity.py::test_one_past_each_limit",
    "model_blocks": "models/test_integrity.py::test_one_past_each_limit",
    "model_experts": "models/test_integrity.py::test_one_past_each_limit",
    "model_size": "models/test_integrity.py::test_one_past_each_limit",
    "owner_chars": "test_limits_past.py::test_one_past_what_a_request_may_hold",
    "adapters": "runtime/test_local_adapters.py::test_one_adapter_too_many",
    "adapter_rank": "models/test_adapters.py::test_the_highest_rank",
    "context_least": "runtime/test_rawloop.py::test_a_context_that_the_engine_would_die_of_is_refused",
    "hub_reply_bytes": "models/test_hub_client.py::test_one_past_the_size_of_a_listing",
    "hub_silence_seconds": "models/test_hub_client.py::test_a_stall",
    "hub_attempts": "models/test_hub_client.py::test_one_attempt_past_the_limit",
    "hub_wait_seconds": "models/test_hub_client.py::test_one_past_the_wait_that_a_hub_may_ask_for",
    "hub_redirects": "models/test_hub_client.py::test_one_redirect_past_the_limit",
    "hub_reference_chars": "models/test_naming.py::test_one_past_the_length_of_a_reference",
    "model_name_chars": "models/test_naming.py::test_names_that_none_may_have",
    "disk_spare_bytes": "models/test_pull.py::test_room_is_asked_for_first",
    "encode_memory": "worker/test_encode.py::test_memory_is_bounded",
    "encode_rows_bytes": "worker/test_encode.py::test_memory_is_bounded",
    "stall_seconds": "runtime/test_encoder.py::test_a_child_that_stops_is_found_out",
    "compared_texts": "runtime/test_encoder.py::test_texts_within_bounds_and_one_past_them",
    "compared_text_bytes": "runtime/test_encoder.py::test_texts_within_bounds_and_one_past_them",
    "predictions_bytes": "worker/test_compare.py::test_the_largest_file_and_one_byte_more",
    "encodings_tried": "evals/encoding/test_encoding_candidates.py::test_as_many_as_the_limit_and_one_past_it",
    "encoding_rounds": "evals/encoding/test_encoding_host.py::test_rounds_up_to_the_limit_and_one_past_it",
    "encoding_record_bytes": "models/test_encodings.py::test_a_record_at_the_limit_is_read_and_one_past_it_is_not",
    "mix_tokens": "models/test_encodings.py::test_mixes_up_to_the_limit_and_one_past_it",
    "parse_chars": "calling/dialects/test_rules.py::test_a_text_one_too_long_is_refused",
    "parse_calls": "calling/dialects/test_rules.py::test_calls_one_too_many_are_text",
    "parse_attempts": "calling/dialects/test_rules.py::test_beginnings_one_too_many_are_text",
    "call_chars": "calling/dialects/test_rules.py::test_a_call_one_character_too_long_is_text",
    "markup_tags": "calling/dialects/test_markup.py::test_depth_and_number_are_bounded",
    "profile_bytes": "calling/test_profile.py::test_it_is_read_up_to_the_limit",
    "native_tools": "calling/test_profile.py::test_the_limit_of_tools",
    "calls_per_request": "calling/ranking/test_several.py::test_no_more_calls_than_the_limit",
    "turn_steps": "agent/test_agent.py::test_more_steps_than_the_limit_and_the_same_twice",
    "counts_kept": "test_limits_past.py::test_one_past_what_an_agent_remembers",
    "summaries_kept": "test_limits_past.py::test_one_past_what_an_agent_remembers",
    "store_wait_seconds": "test_limits_past.py::test_a_store_is_waited_for_so_long_and_no_longer",
    "conversation_bytes": "interfaces/cli/chat/test_saved.py::test_one_byte_past_the_limit",
    "chat_history": "interfaces/cli/chat/test_remembered.py::test_no_more_than_the_limit_and_the_older_half_goes",
    "memory_facts": "agent/test_memory.py::test_bounds",
    "fact_chars": "agent/test_memory.py::test_bounds",
    "memory_turns": "agent/test_memory.py::test_the_journal_keeps_the_newest",
    "journal_chars": "agent/test_memory.py::test_the_journal_keeps_the_newest",
    "run_id_chars": "agent/test_runs.py::test_what_is_no_id_is_refused",
    "runs_kept": "agent/test_runs.py::test_the_oldest_are_gone",
    "cache_bytes": "agent/test_cache.py::test_the_default_bounds",
    "cache_entries": "agent/test_cache.py::test_the_default_bounds",
    "embeddings_kept": "agent/test_semantic.py::test_ten_thousand_embeddings",
    "tool_output_bytes": "test_tools.py::test_output_ends_at_the_limit",
    "rule_chars": "test_tools.py::test_patterns_and_extractors_see_no_text_over_the_limit",
    "intents": "agent/intents/test_file.py::test_at_the_limit_of_names_it_is_read",
    "intent_name_chars": "agent/intents/test_training.py::test_files_that_are_wrong",
    "intent_chars": "agent/intents/test_training.py::test_files_that_are_wrong",
    "intent_examples": "test_limits_past.py::test_one_example_past_the_limit",
    "intent_examples_bytes": "agent/intents/test_training.py::test_a_file_one_byte_past_the_limit",
    "intent_ngrams": "agent/intents/test_training.py::test_no_more_ngrams_than_the_limits_allow",
    "intent_weights": "agent/intents/test_training.py::test_no_more_ngrams_than_the_limits_allow",
    "intent_file_bytes": "agent/intents/test_file.py::test_one_byte_past_the_limit_on_disk",
    "calculator_chars": "agent/tools/test_calculator.py::test_characters_end_at_the_limit",
    "calculator_depth": "agent/tools/test_calculator.py::test_nesting_ends_at_the_limit",
    "calculator_parentheses": "agent/tools/test_calculator.py::test_brackets_in_a_request_end_at_the_limit",
    "calculator_digits": "agent/tools/test_calculator.py::test_digits_end_at_the_limit",
    "chain_steps": "agent/test_chain.py::test_one_past_the_limit",
    "step_tries": "agent/test_ask.py::test_one_past_each_limit",
    "step_samples": "agent/test_ask.py::test_one_past_each_limit",
    "checked_chars": "agent/test_checks.py::test_one_past_each_limit",
    "python_chars": "runtime/test_trial.py::test_one_past_each_limit",
    "python_pieces": "runtime/test_trial.py::test_one_past_each_limit",
    "python_depth": "agent/test_checks.py::test_one_past_each_limit",
    "python_seconds": "runtime/test_trial.py::test_one_that_cannot_be_stopped_is_killed_with_all",
    "python_piece_seconds": "runtime/test_trial.py::test_an_endless_piece_ends_alone",
    "python_memory": "runtime/test_trial.py::test_shared_memory_is_bounded_too",
    "python_output": "runtime/test_trial.py::test_a_flood_of_output_is_cut_and_told",
    "file_read_bytes": "agent/tools/test_files.py::test_reading_ends_at_the_limit_and_says_so",
    "file_listing": "agent/tools/test_files.py::test_a_listing_ends_at_the_limit",
    "file_entries": "agent/tools/test_files.py::test_searching_ends_at_so_many_entries",
    "file_search_bytes": "agent/tools/test_files.py::test_searching_ends_at_so_many_bytes",
    "file_depth": "agent/tools/test_files.py::test_searching_ends_at_so_many_folders_down",
    "fetch_connect_seconds": "agent/tools/test_web.py::test_connecting_has_a_time_of_its_own",
    "page_memory": "agent/tools/test_web.py::test_the_memory_that_its_text_may_take",
    "mcp_pages": "agent/tools/test_mcp.py::test_a_list_without_an_end_is_read_no_further",
}
"""Limit -> the test, below tests/, that goes one past it (or to its end, where there is nothing past it)."""

DEFAULTS = {
    "answer_tokens": "tests/agent/test_agent.py cuts at the number that is given",
    "request_seconds": "tests/runtime/test_supervisor.py ends requests at the deadline that is given",
    "batch_requests_at_once": "tests/runtime/test_batch.py gives it",
    "idle_seconds": "tests/runtime/pool/test_pool.py gives it",
    "encode_seconds": "tests/runtime/test_encoder.py gives it",
    "compare_seconds": "tests/runtime/test_encoder.py gives it",
    "recalled_facts": "tests/agent/test_memory.py gives it",
    "program_memory": "tests/runtime/test_programs.py starves programs of the memory that is given",
    "tool_seconds": "tests/agent/test_execute.py ends tools at the deadline that is given",
}
"""Limits that hold unless the caller gives another number: what is tried is the number that is given."""

AIMS = {
    "heartbeat_seconds": "an idle worker beats as often, and nothing is done at the first beat that is missing",
    "chunk_seconds": "what the engine sizes its steps for; a step of one token may take longer",
    "prefill_seconds": "what the engine sizes its steps for; a step of one token may take longer",
    "calculator_seconds": "what the bounds on digits, depth and characters come to",
}
"""Numbers that nothing can be past, and why."""

UNNAMED = {
    "http_bodies_bytes": "is `most`, which the test gives",
    "http_queue": "is `room`, which the test gives",
    "http_at_once": "is `at_once`, which the test gives",
    "agent_runs": "is `most`, which the test gives",
    "fetch_seconds": "is `seconds`, which the test gives",
    "page_seconds": "is `seconds`, which the test gives",
    "embedded_tokens": "is the window that the text there is beyond",
    "encode_memory": "bounds the child that tests/worker/test_encode.py starves",
    "encode_rows_bytes": "is part of that bound",
    "grammar_fuel": "is what ends the patterns there",
    "hub_silence_seconds": "is `patience`, which the test gives",
    "python_seconds": "is `seconds`, which the test gives",
    "remote_connect_seconds": "is no longer than `silence`, which the test gives",
    "remote_silence_seconds": "is `silence`, which the test gives",
    "log_line_bytes": "is what the event is too long for",
}
"""Limits whose test does not spell them, and how it reaches them."""

SOURCES = [path for path in Path(linnet.__file__).parent.rglob("*.py") if path.name != "limits.py"]


def test_the_rows_are_the_fields_in_order() -> None:
    assert [row["name"] for row in ROWS] == [field.name for field in dataclasses.fields(Limits)]
    assert all(row["value"] == getattr(LIMITS, row["name"]) for row in ROWS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["name"])
def test_each_is_a_positive_number_with_a_unit_and_a_meaning(row: dict[str, object]) -> None:
    assert set(row) == {"name", "value", "unit", "meaning"}
    assert isinstance(row["value"], int | float) and not isinstance(row["value"], bool) and row["value"] > 0
    assert row["unit"] and len(str(row["meaning"]).split()) >= 2


def test_they_can_be_printed_as_json() -> None:
    assert json.loads(json.dumps(ROWS)) == ROWS


def test_nobody_can_change_one() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        LIMITS.queue = 1  # type: ignore[misc]


def test_every_limit_is_obeyed_somewhere() -> None:
    """A number that nobody reads is a promise that nobody keeps."""
    text = "\n".join(path.read_text() for path in SOURCES)
    unread = [row["name"] for row in ROWS if not re.search(rf"\b(LIMITS|limits)\.{row['name']}\b", text)]
    assert unread == KEPT_BY_OTHERS


def test_the_numbers_fit_together() -> None:
    assert LIMITS.request_bytes * 6 <= LIMITS.record_bytes // 2, "six bytes of JSON for the worst character"
    assert LIMITS.heartbeat_seconds * 3 <= LIMITS.progress_seconds
    assert LIMITS.chunk_seconds < LIMITS.prefill_seconds < LIMITS.heartbeat_seconds
    assert LIMITS.request_deaths >= 2, "one death in company proves nothing"
    assert LIMITS.restarts > LIMITS.request_deaths


def test_a_sandbox_forbids_everything_unless_told_otherwise() -> None:
    sandbox = Sandbox()
    assert (sandbox.files, sandbox.network, sandbox.processes, sandbox.required) == (True, True, True, False)


# --- one past each -------------------------------------------------------------------------------


def test_no_limit_is_without_a_test_one_past_it() -> None:
    listed = [*ONE_PAST, *DEFAULTS, *AIMS]
    assert sorted(listed) == sorted(row["name"] for row in ROWS), "a limit is not listed, or twice, or is none"
    assert set(UNNAMED) <= set(ONE_PAST)


@pytest.mark.parametrize("name", ONE_PAST)
def test_the_test_exists_and_names_the_limit(name: str) -> None:
    file, _, function = ONE_PAST[name].partition("::")
    text = (Path(__file__).parent / file).read_text()
    assert re.search(rf"^(async )?def {function}\(", text, re.MULTILINE), f"there is no {ONE_PAST[name]}"
    assert bool(re.search(rf"\b{name}\b", text)) != (name in UNNAMED), "it does not name its limit, or is listed"
