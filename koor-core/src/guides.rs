//! Two guides with code that is compiled and run: [`writing_a_store`] and [`adding_a_noun`].

/// How to keep Koor's data with another technology.
///
/// A store has a write half and a read half.
///
/// **The write half** is a [`Backend`](crate::ports::Backend) with two verbs: `fetch` looks up facts, `commit` makes a list of changes
/// durable, all or nothing. It decides nothing; ids, versions and hashes are in the changes. The batching loop, what a batch
/// reads of its own writes, retries, refusals and panics are the core's
/// [`GroupCommit`](crate::ports::GroupCommit), the same for every technology. A backend that wraps another one is the
/// shortest there is:
///
/// ```
/// use std::sync::{Arc, atomic::{AtomicUsize, Ordering::Relaxed}};
///
/// use async_trait::async_trait;
/// use koor_core::{
///     Caller, Koor, MemoryStore,
///     use_cases::PutDocument,
///     domain::ContentType,
///     ids::StateKey,
///     ports::{Backend, Basis, Change, DocumentChange, FactSet, Facts, Outcome, Point, StoreResult},
/// };
///
/// /// Counts the versions that are written.
/// struct Counting<B> {
///     behind: B,
///     versions: Arc<AtomicUsize>,
/// }
///
/// #[async_trait]
/// impl<B: Backend> Backend for Counting<B> {
///     async fn fetch(&mut self, wanted: &FactSet, basis: Basis) -> StoreResult<Facts> {
///         self.behind.fetch(wanted, basis).await
///     }
///
///     async fn commit(&mut self, at: Point, changes: &[Change]) -> StoreResult<Outcome> {
///         let outcome = self.behind.commit(at, changes).await?;
///         if outcome == Outcome::Committed {
///             let appends = |change: &&Change| matches!(change, Change::Document(DocumentChange::Append(_)));
///             self.versions.fetch_add(changes.iter().filter(appends).count(), Relaxed);
///         }
///         Ok(outcome)
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let versions = Arc::new(AtomicUsize::new(0));
/// let store = MemoryStore::on(|behind| Counting { behind, versions: Arc::clone(&versions) });
/// let koor = Koor::on(store).open().await?;
/// for value in ["1", "2"] {
///     let put = PutDocument::state(StateKey::new("plan")?, value, ContentType::json())?;
///     koor.execute(&Caller::local(), put).await?;
/// }
/// assert_eq!(versions.load(Relaxed), 2);
/// # Ok(())
/// # }
/// ```
///
/// A backend that waits, for a disk or a network, gets a queue and a loop from
/// [`Committer::queued`](crate::ports::Committer::queued); it drives the loop on a thread or a runtime of its own. One that never
/// waits is driven by its callers: [`Committer::inline`](crate::ports::Committer::inline).
///
/// **The read half** answers questions on snapshots: one trait for each noun, such as [`RuleBook`](crate::ports::RuleBook), and
/// [`Store`](crate::ports::Store), which hands snapshots out.
///
/// **The judge** is the contract suite (feature `testkit`), which makes a test of each promise:
///
/// ```text
/// koor_core::contract_suite!(StoreFixture::of(MyStore::default()));
/// koor_core::contract_suite!(StoreFixture::reopening(|| MyStore::open("data")).await, restarts);
/// ```
///
/// `examples/own_store.rs` is a wrapping backend with the suite, `examples/log_store` a complete store in one file.
pub mod writing_a_store {}

/// How to add a kind of thing that Koor keeps, from the domain to a store.
///
/// The names of the noun's files are the same in every layer. In this order:
///
/// 1. **Types and pure rules** in `domain/<noun>.rs`: constructors check whatever can be wrong.
/// 2. **Changes** in `ports/<noun>.rs`: an enum of what a commit can do to it (`Put`, `Remove`), and a variant of
///    [`Change`](crate::ports::Change) that carries it. The compiler now asks for it in the view of a batch, in the in-memory
///    store and in every other store.
/// 3. **Lookups**: a line in the table of `ports/facts.rs` for each thing that commands look up by key, or scan. The sets of
///    wanted facts, the facts and the layers of a batch follow from the table; the compiler asks for it in each `fetch`.
/// 4. **Questions** in `ports/<noun>.rs`: a read trait that snapshots implement, added to
///    [`ReadTx`](crate::ports::ReadTx); and a method of [`EveryNoun`](crate::ports::EveryNoun), without which backups and dumps
///    no longer compile.
/// 5. **Commands** in `use_cases/<noun>/commands.rs`: what a caller can ask for. A command names what it looks at, decides, and leaves
///    changes:
///
/// ```
/// use koor_core::{
///     Access, Applied, Caller, Command, CommandContext, Error, Koor, MemoryStore, Operation,
///     domain::audit::Action,
///     ids::{ProjectName, RuleId},
///     ports::FactSet,
/// };
///
/// /// Deletes a rule if there is one.
/// struct ForgetRule {
///     project: ProjectName,
///     id: RuleId,
/// }
///
/// impl Command for ForgetRule {
///     type Output = bool;
///
///     fn operation(&self) -> Operation {
///         let resource = format!("{}/{}", self.project, self.id);
///         Operation::to(Action::RuleDelete, resource, Access::Admin("delete rules"))
///     }
///
///     fn reads(&self, wanted: &mut FactSet) {
///         wanted.rules.insert((self.project.clone(), self.id.clone()));
///     }
///
///     fn apply(&self, cx: &mut CommandContext<'_>) -> Result<Applied<bool>, Error> {
///         let there = cx.rule(&self.project, &self.id)?.is_some();
///         if there {
///             cx.remove_rule(self.project.clone(), self.id.clone());
///         }
///         Ok(Applied::new(there))
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let koor = Koor::on(MemoryStore::default()).open().await?;
/// let forget = ForgetRule { project: "p".parse()?, id: "no-todo".parse()? };
/// assert!(!koor.execute(&Caller::local(), forget).await?.output);
/// # Ok(())
/// # }
/// ```
///
/// 6. **Promises** in `testkit/contract/`: a function for each, and its name in `each_contract_case!`. Break the code by hand once
///    and see it fail.
/// 7. **`SQLite`**: a table in a new migration, and `rows/<noun>.rs` with the read trait for `Snapshot` and a `write` for the
///    changes. Keep a database of the format before it with `koor-store-sqlite/tests/fixtures/make`.
pub mod adding_a_noun {}
