//! Budgets.

use koor_core::{
    domain::budgets::{BudgetDraft, BudgetView},
    ids::ProjectName,
    use_cases::{DeleteBudget, SetBudget},
};

use crate::{
    error::Failure,
    json_body::Object,
    request::Call,
    response::{self, Json, Written},
    routes::deleted::Deleted,
};

pub(crate) async fn list(call: Call) -> Result<Json<Vec<BudgetView>>, Failure> {
    response::json(&call.koor().budgets().await?)
}

pub(crate) async fn get(call: Call) -> Result<Json<BudgetView>, Failure> {
    let project: ProjectName = call.name(0)?;
    response::json(&call.koor().budget(&project).await?)
}

pub(crate) async fn put(
    call: Call,
    Object(draft): Object<BudgetDraft>,
) -> Result<Written<BudgetView>, Failure> {
    let command = SetBudget::new(call.koor(), call.name(0)?, &draft)?;
    response::committed(&call.koor().execute(&call.caller, command).await?)
}

pub(crate) async fn delete(call: Call) -> Result<Written<Deleted>, Failure> {
    let done = call.koor().execute(&call.caller, DeleteBudget(call.name(0)?)).await?;
    response::committed(&done.map(|project| Deleted::of(&project)))
}
