//! Walking over everything that a store holds.

use crate::ports::ReadTx;

/// One method for each noun that a store holds. Code that goes through all of a store implements it, such as a backup: what
/// forgets a noun does not compile.
///
/// ```compile_fail
/// # use koor_core::ports::{EveryNoun, ReadTx, StoreError};
/// struct ForgetsTheRules;
///
/// impl EveryNoun for ForgetsTheRules {
///     type Error = StoreError;
///     fn documents(&mut self, _: &mut dyn ReadTx) -> Result<(), StoreError> { Ok(()) }
///     fn events(&mut self, _: &mut dyn ReadTx) -> Result<(), StoreError> { Ok(()) }
///     fn instances(&mut self, _: &mut dyn ReadTx) -> Result<(), StoreError> { Ok(()) }
///     fn webhooks(&mut self, _: &mut dyn ReadTx) -> Result<(), StoreError> { Ok(()) }
///     fn compliance(&mut self, _: &mut dyn ReadTx) -> Result<(), StoreError> { Ok(()) }
///     fn templates(&mut self, _: &mut dyn ReadTx) -> Result<(), StoreError> { Ok(()) }
///     fn audit(&mut self, _: &mut dyn ReadTx) -> Result<(), StoreError> { Ok(()) }
///     fn metrics(&mut self, _: &mut dyn ReadTx) -> Result<(), StoreError> { Ok(()) }
///     fn tasks(&mut self, _: &mut dyn ReadTx) -> Result<(), StoreError> { Ok(()) }
///     fn usage(&mut self, _: &mut dyn ReadTx) -> Result<(), StoreError> { Ok(()) }
///     fn leases(&mut self, _: &mut dyn ReadTx) -> Result<(), StoreError> { Ok(()) }
///     fn messages(&mut self, _: &mut dyn ReadTx) -> Result<(), StoreError> { Ok(()) }
///     fn budgets(&mut self, _: &mut dyn ReadTx) -> Result<(), StoreError> { Ok(()) }
/// }
/// ```
#[expect(missing_docs, reason = "each method is named for its noun, and documented as a whole above")]
pub trait EveryNoun {
    /// Why it stops early.
    type Error;

    fn documents(&mut self, tx: &mut dyn ReadTx) -> Result<(), Self::Error>;
    fn events(&mut self, tx: &mut dyn ReadTx) -> Result<(), Self::Error>;
    fn instances(&mut self, tx: &mut dyn ReadTx) -> Result<(), Self::Error>;
    fn rules(&mut self, tx: &mut dyn ReadTx) -> Result<(), Self::Error>;
    fn webhooks(&mut self, tx: &mut dyn ReadTx) -> Result<(), Self::Error>;
    fn compliance(&mut self, tx: &mut dyn ReadTx) -> Result<(), Self::Error>;
    fn templates(&mut self, tx: &mut dyn ReadTx) -> Result<(), Self::Error>;
    fn tasks(&mut self, tx: &mut dyn ReadTx) -> Result<(), Self::Error>;
    fn audit(&mut self, tx: &mut dyn ReadTx) -> Result<(), Self::Error>;
    fn metrics(&mut self, tx: &mut dyn ReadTx) -> Result<(), Self::Error>;
    fn usage(&mut self, tx: &mut dyn ReadTx) -> Result<(), Self::Error>;
    fn leases(&mut self, tx: &mut dyn ReadTx) -> Result<(), Self::Error>;
    fn messages(&mut self, tx: &mut dyn ReadTx) -> Result<(), Self::Error>;
    fn budgets(&mut self, tx: &mut dyn ReadTx) -> Result<(), Self::Error>;

    /// Goes through all of them.
    ///
    /// # Errors
    /// When one of them stops early.
    fn visit(&mut self, tx: &mut dyn ReadTx) -> Result<(), Self::Error> {
        self.documents(tx)?;
        self.events(tx)?;
        self.instances(tx)?;
        self.rules(tx)?;
        self.webhooks(tx)?;
        self.compliance(tx)?;
        self.templates(tx)?;
        self.tasks(tx)?;
        self.audit(tx)?;
        self.metrics(tx)?;
        self.usage(tx)?;
        self.leases(tx)?;
        self.messages(tx)?;
        self.budgets(tx)
    }
}
