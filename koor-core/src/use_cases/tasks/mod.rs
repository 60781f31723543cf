//! Tasks: what there is to do, who does it, and what waits for it.

mod claim;
mod create;
mod decide;
mod edit;
mod expire;
mod finish;
mod keep;
mod queries;
mod shown;

pub(crate) use claim::release_all;
pub use claim::{ClaimRequest, Claimed, Holding, ReleaseTask, RenewClaim};
pub use create::{CreateTasks, Created};
pub use decide::DecideTask;
pub use edit::{AddTaskNote, EditTask};
pub use finish::{FailTask, FinishTask};
pub use shown::{ClaimView, TaskSummary, TaskView};
