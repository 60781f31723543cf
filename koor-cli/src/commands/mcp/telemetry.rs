//! The telemetry settings of a client: printed, or merged into its file.

use std::{env, path::Path};

use serde_json::json;

use super::config::{change, needed_token};
use crate::{
    context::Context,
    exit::{self, Failure},
    mcp_files::{
        clients::Client,
        telemetry::{Telemetry, TelemetryPlace, with_members},
    },
    settings::locate,
};

/// Prints the settings, or merges them.
///
/// # Errors
/// When the client has no such settings, or no file for them here, or its file is no good.
pub(super) fn run(client: Client, write: bool, context: &Context) -> Result<(), Failure> {
    let token = needed_token(write, context)?;
    let telemetry = Telemetry {
        server: context.client.server(),
        token,
        instance: context.settings.instance_id.as_deref(),
    };
    let Some(place) = telemetry.of(client) else {
        return Err(Failure::usage(
            "this client is not known to report what its models cost; any exporter of OTLP/HTTP can send to the server's URL",
        ));
    };
    match place {
        TelemetryPlace::Project(path, object, members) if write => {
            change(Path::new(path), |text| with_members(text, object, &members))?;
            context.output.line(path)?;
        }
        TelemetryPlace::User(path, object, members) if write => {
            let home = locate::home(&|name| env::var(name).ok());
            let home = home.ok_or_else(|| Failure::refused("no home directory is known: set HOME"))?;
            let path = home.join(path);
            change(&path, |text| with_members(text, object, &members))?;
            context.output.line(path.display())?;
        }
        TelemetryPlace::Printed(path, _) if write => {
            return Err(Failure::usage(format_args!(
                "this client has no file for it in a project's directory: without --write, what belongs into {path} is printed"
            )));
        }
        TelemetryPlace::Project(path, object, members) => {
            context.output.line(format_args!("{:#}", json!({object: members})))?;
            exit::warn(format_args!("this belongs into {path}"));
        }
        TelemetryPlace::User(path, object, members) => {
            context.output.line(format_args!("{:#}", json!({object: members})))?;
            exit::warn(format_args!("this belongs into ~/{path}"));
        }
        TelemetryPlace::Printed(path, text) => {
            context.output.line(text)?;
            exit::warn(format_args!("this belongs into {path}"));
        }
    }
    if token.is_some() && client == Client::Gemini {
        exit::warn(
            "Gemini CLI has no setting for the token: start it with OTEL_EXPORTER_OTLP_HEADERS=Authorization=Bearer%20TOKEN",
        );
    }
    Ok(())
}
