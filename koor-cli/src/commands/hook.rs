//! `koor hook`: what a client calls at the moments of a session. The event comes as JSON on stdin, the answer goes to stdout.

mod agent;
mod begin;
pub(crate) mod clients;
mod edits;
mod event;
mod git;
mod leases;
mod patch;
mod paths;
mod server;
pub(crate) mod session;
mod shell;
mod stop;
pub(crate) mod target;
mod work_tree;

use std::{
    ffi::OsString,
    io::{self, IsTerminal as _, Read as _, Write as _},
};

use clap::{Args, ValueEnum as _};
use koor_core::domain::hooks::{HookPolicy, UnknownPolicy};
use serde_json::Value;

use self::{
    agent::Agent,
    clients::Translation,
    event::{Answer, HookEvent, Moment},
    session::Unconfirmed,
    target::Target,
};
use crate::exit::{self, Failure};

pub(crate) const EXAMPLES: &str = "\
Clients call this; `koor hooks install` tells them to. The event is read as JSON from stdin, and the answer is the client's
own. Outside of a directory with Koor's settings, there is none.

Policies, with commas between them:
  auto    an edit of a free path takes a lease for it (default)
  check   it takes nothing
  rest    claimed tasks and urgent messages keep an agent going that stops (default)
  work    tasks that it could claim, too
  wait    any message, too; where there is nothing, the agent waits for something
  allow   what could not be checked is allowed, and the agent is told once (default)
  strict  it is refused

Example:
  koor hook claude-code --policy work,check
  koor hook git --strict                    before a commit";

/// The longest event that is read: it may hold a file.
const LARGEST: u64 = 64 << 20;

/// Who calls, and how it wants it.
#[derive(Debug, Args)]
pub(crate) struct HookArgs {
    /// What calls: a client, or git before a commit
    client: Target,
    /// What the hooks do: words with commas between them
    #[arg(long, value_name = "WORDS", default_value = "", hide_default_value = true)]
    policy: HookPolicy,
    /// Refuse what could not be checked, as the policy strict does
    #[arg(long)]
    strict: bool,
}

impl HookArgs {
    /// Reads the command line of a hook without the definition of all the other commands, which takes longer than a hook may.
    /// `None` for any other line.
    pub(crate) fn read(args: &[OsString]) -> Option<Self> {
        let words: Vec<&str> = args.iter().skip(1).map(|word| word.to_str()).collect::<Option<_>>()?;
        let (client, policy) = match words.as_slice() {
            ["hook", client] => (client, ""),
            ["hook", client, "--policy", policy] => (client, *policy),
            _ => return None,
        };
        Some(Self {
            client: Target::from_str(client, false).ok()?,
            policy: policy.parse().ok()?,
            strict: false,
        })
    }

    fn policy(&self) -> HookPolicy {
        let unknown = if self.strict { UnknownPolicy::Strict } else { self.policy.unknown };
        HookPolicy { unknown, ..self.policy }
    }
}

/// What comes of a moment, and what is remembered once the client has been answered.
#[derive(Debug)]
struct Reply {
    answer: Answer,
    /// Whether this tells the agent that something could not be checked.
    tells: bool,
    /// The brief that it holds, as text and as what is confirmed later.
    brief: Option<(Unconfirmed, String)>,
}

impl Reply {
    fn of(answer: Answer) -> Self {
        Self { answer, tells: false, brief: None }
    }

    fn silent() -> Self {
        Self::of(Answer::Silence)
    }

    fn with_brief(answer: Answer, shown: Unconfirmed, text: String) -> Self {
        Self { answer, tells: false, brief: Some((shown, text)) }
    }

    /// Something could not be checked: the agent is told so, once in a session.
    fn unknown(agent: &Agent, why: &str) -> Self {
        if agent.session.memory.told {
            return Self::silent();
        }
        Self { answer: Answer::Context(begin::away(why)), tells: true, brief: None }
    }
}

/// Answers the client.
///
/// # Errors
/// Only when a person calls it, or a commit is refused: a hook that fails must not stop a client.
pub(crate) fn run(args: &HookArgs) -> Result<(), Failure> {
    let client = match args.client {
        Target::Client(client) => client.table(),
        Target::Git => return git::before_commit(args.policy()),
    };
    if io::stdin().is_terminal() {
        return Err(Failure::usage("this is for clients: it reads an event as JSON from stdin"));
    }
    let mut text = Vec::new();
    let read = io::stdin().lock().take(LARGEST).read_to_end(&mut text);
    if let Err(error) = read {
        exit::warn(format_args!("cannot read the event: {error}"));
        return Ok(());
    }
    let event = match serde_json::from_slice::<Value>(&text) {
        Ok(event) => client.read(&event),
        Err(error) => {
            exit::warn(format_args!("cannot understand the event of {}: {error}", client.title));
            None
        }
    };
    if let Some(event) = event
        && let Some(agent) = Agent::of(client, args.policy(), &event)
    {
        answer(agent, client, &event);
    }
    Ok(())
}

/// Answers an event in an agent's directory.
fn answer(mut agent: Agent, client: &Translation, event: &HookEvent) {
    agent.confirm();
    let reply = moment(&mut agent, event);
    let rendered = (client.answer)(&event.name, event.moment, &reply.answer);
    let written = rendered.as_ref().is_some_and(|answer| print(answer).is_ok());
    if event.moment == Moment::SessionEnd {
        return;
    }
    if written {
        agent.session.update(|memory| {
            memory.told |= reply.tells;
            if let Some((shown, text)) = &reply.brief {
                memory.unconfirmed = Some(shown.clone());
                text.clone_into(&mut memory.brief);
            }
        });
    }
    agent.note();
    session::mark_fired(&agent.file, client.name);
}

fn moment(agent: &mut Agent, event: &HookEvent) -> Reply {
    match event.moment {
        Moment::SessionStart => begin::session(agent),
        Moment::Prompt => begin::prompt(agent, &event.prompt),
        Moment::BeforeTool => edits::before(agent, &event.tool),
        Moment::AfterTool => edits::after(agent, &event.tool),
        Moment::Stop => stop::stop(agent, event.interrupted),
        Moment::Interrupt => {
            agent.session.update(|memory| memory.interrupted = true);
            Reply::silent()
        }
        Moment::SessionEnd => stop::end(agent),
    }
}

fn print(answer: &Value) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{answer}")?;
    stdout.flush()
}
