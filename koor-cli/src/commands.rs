//! Everything that can be asked of a server: each noun with what is typed and what becomes of it.

pub(crate) mod audit;
pub(crate) mod backup;
pub(crate) mod brief;
pub(crate) mod budgets;
pub(crate) mod compliance;
pub(crate) mod config;
pub(crate) mod contract;
pub(crate) mod coordination;
pub(crate) mod doctor;
pub(crate) mod documents;
pub(crate) mod edit;
pub(crate) mod events;
pub(crate) mod hook;
pub(crate) mod hooks;
pub(crate) mod import;
pub(crate) mod instances;
pub(crate) mod leases;
pub(crate) mod manual;
pub(crate) mod mcp;
pub(crate) mod messages;
pub(crate) mod metrics;
pub(crate) mod rules;
pub(crate) mod skill;
pub(crate) mod specs;
pub(crate) mod state;
pub(crate) mod status;
pub(crate) mod store;
pub(crate) mod subscribe;
pub(crate) mod tasks;
pub(crate) mod templates;
pub(crate) mod usage;
pub(crate) mod validate;
pub(crate) mod webhooks;

use crate::{
    args::{Cli, Task, definition},
    context::Context,
    exit::Failure,
    output::Output,
    serve, wizard,
};

/// Does what was typed.
///
/// # Errors
/// When it can't.
pub(crate) fn run(cli: Cli) -> Result<(), Failure> {
    let Cli { global, command } = cli;
    let context = || Context::new(&global);
    match command {
        Task::Serve(args) => {
            if global.token.is_some() || global.server.is_some() {
                // A server without a token must not be what comes of giving it one under the wrong name.
                return Err(Failure::usage(
                    "serve takes neither --token nor --server: what clients must show is --auth-token",
                ));
            }
            serve::run(*args)
        }
        Task::Init(args) => wizard::run(&args, &global),
        Task::Status => status::run(&context()?),
        Task::Config(command) => config::run(&command, &global, &context),
        Task::Mcp(command) => mcp::run(&command, &context()?),
        Task::Import(import) => import::run(&import, &Output::new(&global)?),
        Task::Store(command) => store::run(&command, &Output::new(&global)?),
        Task::State(command) => state::run(&command, &context()?),
        Task::Events(command) => events::run(&command, &context()?),
        Task::Validate(args) => validate::run(&args, &context()?, global.json || global.pretty),
        Task::Backup(args) => backup::backup(&args, &context()?),
        Task::Restore(args) => backup::restore(&args, &context()?),
        Task::Doctor => doctor::run(&global),
        Task::Specs(command) => specs::run(&command, &context()?),
        Task::Contract(command) => contract::run(&command, &context()?),
        Task::Rules(command) => rules::run(&command, &context()?),
        Task::Brief(args) => brief::run(&args, &context()?),
        Task::Hook(args) => hook::run(&args),
        Task::Hooks(command) => hooks::run(&command, &Output::new(&global)?),
        Task::Skill(command) => skill::run(&command, &Output::new(&global)?),
        Task::Lease(command) => leases::run(&command, &context()?),
        Task::Msg(command) => messages::run(&command, &context()?),
        Task::Webhooks(command) => webhooks::run(&command, &context()?),
        Task::Compliance(command) => compliance::run(&command, &context()?),
        Task::Templates(command) => templates::run(&command, &context()?),
        Task::Audit(audit) => audit::run(&audit, &context()?),
        Task::Metrics(metrics) => metrics::run(&metrics, &context()?),
        Task::Budget(command) => budgets::run(&command, &context()?),
        Task::Llm(command) => usage::run(&command, &context()?),
        Task::Register(who) => instances::register(&who, &context()?),
        Task::Activate(which) => instances::activate(&which, &context()?),
        Task::Heartbeat(which) => instances::heartbeat(&which, &context()?),
        Task::Instances(command) => instances::run(&command, &context()?),
        Task::Next(what) => tasks::work::next(&what, &context()?),
        Task::Done(what) => tasks::work::done(&what, &context()?),
        Task::Fail(what) => tasks::work::fail(&what, &context()?),
        Task::Release(what) => tasks::work::release(&what, &context()?),
        Task::Tasks(command) => tasks::run(&command, &context()?),
        Task::Completions(which) => manual::completions(&which, definition()),
        Task::Man(which) => manual::man(&which, definition()),
    }
}
