//! Finding out who is calling.

use subtle::ConstantTimeEq as _;

use crate::{
    app::Koor,
    caller::{Caller, InstanceRef, Role},
    domain::{instances::Instance, webhooks::Secret},
    error::Error,
    ids::{Hash, InstanceId},
    instance_cache::Known,
};

/// What a request shows of who made it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Credentials<'a> {
    /// The bearer token.
    pub bearer: Option<&'a str>,
    /// The instance it names.
    pub instance: Option<&'a str>,
}

/// What a caller is told who shows a token to a server that asks for none.
const IGNORED_TOKEN: &str =
    "this server asks for no token, and the one sent belongs to no instance: it was ignored";

/// Who made a request.
#[derive(Debug, Clone)]
pub struct Identified {
    /// The caller.
    pub caller: Caller,
    /// What the caller should be told beside the answer.
    pub warning: Option<String>,
}

impl Koor {
    /// Finds out on whose behalf a request is made.
    ///
    /// # Errors
    /// [`Error::Unauthorized`] where the server asks for a token and this is none.
    pub async fn identify(&self, credentials: Credentials<'_>) -> Result<Identified, Error> {
        let server_token = self.inner.settings.server_token.as_ref();
        let mut role = Role::Admin;
        let mut plain = Caller::local();
        let mut warning = None;
        match (server_token, credentials.bearer) {
            (Some(token), Some(bearer)) if same(token, bearer) => plain = Caller::admin(),
            (_, Some(bearer)) => {
                let known = self.known_by_token(Hash::of(bearer.as_bytes())).await?;
                if server_token.is_some() {
                    role = Role::Agent;
                }
                match known {
                    Some(known) => return Ok(self.met(known, role).await),
                    None if server_token.is_some() => return Err(Error::Unauthorized),
                    None => warning = Some(IGNORED_TOKEN.to_owned()),
                }
            }
            (Some(_), None) => return Err(Error::Unauthorized),
            (None, None) => {}
        }
        let Some(named) = credentials.instance else {
            return Ok(Identified { caller: plain, warning });
        };
        let known = match named.parse::<InstanceId>() {
            Ok(id) => self.known_by_id(id).await?,
            Err(_) => None,
        };
        Ok(match known {
            Some(known) => self.met(known, role).await,
            None => Identified { caller: plain, warning: Some(format!("unknown instance {named}")) },
        })
    }

    /// Notes that an instance is alive; one that was stale is active again.
    async fn met(&self, known: Known, role: Role) -> Identified {
        self.inner.activity.seen(known.instance.id, self.now());
        if known.stale
            && let Err(error) = self.revive(known.instance.id).await
        {
            // The request itself is as good as any: only the status is late.
            tracing::warn!(%error, instance = %known.instance.id, "a stale instance could not be revived");
        }
        Identified { caller: Caller::instance(role, known.instance), warning: None }
    }

    async fn known_by_token(&self, token: Hash) -> Result<Option<Known>, Error> {
        let instances = &self.inner.live.instances;
        if let Some(known) = instances.by_token(token) {
            return Ok(Some(known));
        }
        let epoch = instances.epoch();
        let found = self.read(move |tx| tx.instance_by_token(token)).await?;
        Ok(found.map(|instance| {
            let known = Known::new((&instance).into(), instance.status);
            instances.remember(epoch, Some(token), known.clone());
            known
        }))
    }

    async fn known_by_id(&self, id: InstanceId) -> Result<Option<Known>, Error> {
        let instances = &self.inner.live.instances;
        if let Some(known) = instances.by_id(id) {
            return Ok(Some(known));
        }
        let epoch = instances.epoch();
        let found = self.read(move |tx| tx.instance(id)).await?;
        Ok(found.map(|instance| {
            let known = Known::new((&instance).into(), instance.status);
            instances.remember(epoch, None, known.clone());
            known
        }))
    }
}

/// Compares hashes, so that the time tells neither where the texts differ nor how long the token is.
fn same(token: &Secret, shown: &str) -> bool {
    let (token, shown) = (Hash::of(token.reveal().as_bytes()), Hash::of(shown.as_bytes()));
    token.as_bytes().ct_eq(shown.as_bytes()).into()
}

impl From<&Instance> for InstanceRef {
    fn from(instance: &Instance) -> Self {
        Self { id: instance.id, name: instance.name.as_str().into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_the_same_or_not_as_wholes() {
        let token = Secret::new("token").unwrap();
        for (shown, is_same) in [
            ("token", true),
            ("", false),
            ("toke", false),
            ("tokens", false),
            ("Token", false),
            ("tokex", false),
        ] {
            assert_eq!(same(&token, shown), is_same, "{shown:?}");
        }
    }

    #[test]
    fn no_token_is_compared_in_any_other_way() {
        // What is compared has one length and nothing of the texts in it, and is compared to its end.
        let source = include_str!("identify.rs");
        let body = source.split_once("fn same(").and_then(|(_, rest)| rest.split_once("\n}")).unwrap().0;
        assert_eq!((body.matches("Hash::of").count(), body.matches(".ct_eq(").count()), (2, 1), "{body}");
        assert!(!body.contains("=="), "{body}");
        let shown = source.split_once("#[cfg(test)]").unwrap().0;
        assert_eq!(shown.matches("reveal()").count(), 1, "the token is looked at elsewhere, too");
    }
}
