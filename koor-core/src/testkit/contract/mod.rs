//! The port contract suite: what every store promises, and what the use cases promise on top of it.

mod audit;
mod events;
mod leases;
mod messages;
mod offers;
mod people;
mod records;
mod restart;
mod state;
mod tasks;
mod transactions;
mod usage;

use std::{future::Future, pin::Pin};

use super::StoreFixture;

/// One promise, as a test.
pub struct Case {
    /// The promise.
    pub name: &'static str,
    run: fn(StoreFixture) -> Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl Case {
    /// Puts a fresh store to the test.
    ///
    /// # Panics
    /// When the promise is not kept.
    pub async fn run(&self, fixture: StoreFixture) {
        (self.run)(fixture).await;
    }
}

/// Makes a test of each promise, for the store that `$fixture` opens: an expression of type [`StoreFixture`], evaluated in
/// each test anew. With `restarts`, of those that only stores make that outlive the process, too.
#[macro_export]
macro_rules! contract_suite {
    ($fixture:expr) => {
        $crate::each_contract_case! { make_contract_tests; CASES, $fixture }
    };
    ($fixture:expr, restarts) => {
        $crate::contract_suite!($fixture);
        $crate::each_restart_case! { make_contract_tests; RESTART_CASES, $fixture }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! make_contract_tests {
    (($list:ident, $fixture:expr) $($module:ident::$case:ident)+) => {
        $(#[::tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $case() {
            let mut cases = $crate::testkit::$list.iter();
            cases.find(|case| case.name == stringify!($case)).expect("a case").run($fixture).await;
        })+
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! list_contract_cases {
    (($list:ident) $($module:ident::$case:ident)+) => {
        /// The promises, by name.
        pub const $list: &[Case] =
            &[$(Case { name: stringify!($case), run: |fixture| Box::pin($module::$case(fixture)) }),+];
    };
}

/// Every promise that every store makes. A case that is missing here is an unused function: a warning.
#[doc(hidden)]
#[macro_export]
macro_rules! each_contract_case {
    ($then:ident; $($given:tt)*) => {
        $crate::$then! { ($($given)*)
            state::a_version_is_never_used_again
            state::what_was_written_is_read
            state::bytes_are_kept_exactly
            state::history_is_newest_first
            state::a_rollback_brings_back_what_was_deleted
            state::a_condition_that_does_not_hold_changes_nothing
            state::of_64_racing_writers_one_wins
            state::racing_writers_leave_no_holes
            state::keys_are_listed_in_pages
            state::a_page_of_documents_is_bounded_in_bytes
            state::the_history_limit_keeps_the_newest
            state::state_and_specs_do_not_meet
            state::two_versions_are_compared
            state::a_wait_ends_with_the_change
            state::specs_are_listed_by_project
            state::a_spec_satisfies_the_schema_beside_it
            events::ids_grow_without_holes
            events::filters_combine
            events::each_class_has_its_own_retention
            events::a_subscriber_sees_each_event_once_and_in_order
            events::a_page_of_events_is_bounded_in_bytes
            events::a_large_history_comes_in_pieces
            events::a_subscriber_that_fell_behind_catches_up
            events::a_subscriber_that_breaks_off_is_told_the_rest
            events::a_subscriber_is_told_what_it_missed
            events::an_event_is_kept_before_anybody_sees_it
            events::a_wait_answers_with_what_came
            events::a_wait_that_leaves_events_out_says_so
            events::an_expired_cursor_is_refused
            events::every_change_is_announced
            people::a_token_finds_its_instance
            people::instances_are_found_by_what_they_are
            people::silence_makes_stale_and_a_call_revives
            people::an_agent_reaches_no_further_than_it_may
            leases::paths_are_leased_all_or_none
            leases::of_64_racing_takers_of_a_path_one_wins
            leases::a_number_of_a_lease_is_never_used_again
            leases::an_agent_holds_no_more_leases_than_it_may
            leases::a_lease_ends_when_its_holder_is_silent
            leases::a_lease_is_its_holders
            leases::a_lease_ends_with_the_claim_of_its_task
            leases::leases_near_a_path_are_found
            leases::who_waits_for_paths_is_served_in_order
            messages::names_and_groups_are_resolved_when_a_message_is_sent
            messages::a_message_is_shown_read_and_acknowledged
            messages::a_brief_has_what_is_new_since_the_last_one
            messages::a_wait_ends_with_the_message
            records::rules_come_and_go
            records::a_proposal_is_decided_once
            records::a_file_is_held_against_its_rules
            records::webhooks_are_told_in_order
            records::a_dead_webhook_is_switched_off
            records::a_template_is_applied_as_a_whole
            records::compliance_finds_what_is_wrong
            records::counters_add_up
            records::usage_is_summed_up
            usage::reported_usage_is_recorded_once
            usage::racing_reports_of_a_request_are_recorded_once
            usage::what_a_model_costs_is_said_or_looked_up_or_not_known
            usage::a_session_says_whose_usage_it_is
            usage::an_agent_reports_for_itself_alone
            usage::a_late_announcement_attributes_the_usage_of_a_day
            usage::usage_is_of_the_task_that_was_held_then
            usage::a_budget_warns_and_stops_once_in_each_period
            usage::a_budget_for_each_task_stops_that_task
            tasks::tasks_are_made_all_or_none
            tasks::of_64_racing_claims_of_a_task_one_wins
            tasks::the_next_task_is_the_first_that_suits
            offers::the_tasks_that_fit_are_found_among_all
            tasks::an_admin_holds_no_task
            tasks::a_lost_claim_writes_nothing
            tasks::a_task_waits_for_those_before_it
            tasks::a_parent_is_done_after_its_parts
            tasks::a_failure_is_tried_again_after_a_pause
            tasks::a_silent_holder_loses_its_claim_and_no_other_does
            tasks::a_review_is_anothers
            tasks::a_deregistered_agent_holds_nothing
            tasks::tasks_are_found_by_what_they_are
            tasks::a_wait_for_a_task_ends_with_it
            tasks::every_change_of_a_task_is_one_commit
            audit::each_change_leaves_one_entry
            audit::a_refused_change_leaves_only_its_entry
            audit::entries_are_found_and_counted
            audit::the_chain_verifies
            transactions::a_fault_at_any_step_leaves_nothing
            transactions::a_job_that_panics_fails_alone
            transactions::a_refusal_after_a_write_undoes_it
            transactions::a_caller_that_goes_away_takes_nothing_with_it
            transactions::a_snapshot_stands_still
            transactions::a_backup_brings_everything_back
            transactions::a_restore_loses_nothing_that_is_there
            transactions::an_event_log_comes_back_with_its_ids
            transactions::a_restored_value_passes_the_checks_of_a_new_one
            transactions::the_originals_backup_is_understood
        }
    };
}

/// Every promise that only a store makes that outlives the process.
#[doc(hidden)]
#[macro_export]
macro_rules! each_restart_case {
    ($then:ident; $($given:tt)*) => {
        $crate::$then! { ($($given)*)
            restart::everything_is_there_after_a_restart
            restart::numbers_go_on_after_a_restart
            restart::a_subscriber_resumes_after_a_restart
            restart::claims_survive_a_restart_and_end_in_time
            restart::leases_survive_a_restart_and_end_in_time
            restart::a_restart_ends_a_wait_and_no_lease
            restart::messages_wait_through_a_restart
        }
    };
}

each_contract_case! { list_contract_cases; CASES }
each_restart_case! { list_contract_cases; RESTART_CASES }
