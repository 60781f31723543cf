//! The flags of `serve`, as they are typed.

use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches, error::Error, value_parser};

use crate::settings::serve::{Kind, SETTINGS, ServeFlags, Setting};

/// What stands below the help.
pub(crate) const EXAMPLES: &str = "\
You can also set each of these in the environment (--data-dir as KOOR_DATA_DIR) or in the config file (as \"data_dir\").
A flag overrides the environment, which overrides the file.

Examples:
  koor serve
  koor serve --data-dir /var/lib/koor --bind 0.0.0.0:9800 --auth-token-file /etc/koor/token
  koor serve --bind localhost:0 --dashboard-bind \"\" --log-format json";

impl Args for ServeFlags {
    fn augment_args(command: Command) -> Command {
        let config =
            Arg::new("config").long("config").value_name("PATH").value_parser(value_parser!(PathBuf));
        let config = config.help("Config file in JSON [default: ./settings.json, if it exists]");
        command.arg(config).args(SETTINGS.iter().map(arg))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

fn arg(setting: &Setting) -> Arg {
    let help = match (setting.kind, setting.default) {
        (Kind::Many, _) => format!("{}; may be repeated", setting.help),
        (Kind::One | Kind::MayBeEmpty, Some(default)) => format!("{} [default: {default}]", setting.help),
        (Kind::One | Kind::MayBeEmpty | Kind::Switch, _) => setting.help.to_owned(),
    };
    let arg = Arg::new(setting.key).long(setting.flag()).help(help);
    match setting.kind {
        Kind::Switch => arg.action(ArgAction::SetTrue),
        Kind::Many => arg.action(ArgAction::Append).value_name(setting.value),
        Kind::One | Kind::MayBeEmpty => arg.value_name(setting.value),
    }
}

impl FromArgMatches for ServeFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let mut args = Self::default();
        args.update_from_arg_matches(matches)?;
        Ok(args)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        self.config = matches.get_one("config").cloned();
        let given = |setting: &Setting| match setting.kind {
            Kind::Switch => matches.get_flag(setting.key).then(|| vec![true.to_string()]),
            Kind::One | Kind::MayBeEmpty | Kind::Many => {
                matches.get_many::<String>(setting.key).map(|values| values.cloned().collect())
            }
        };
        self.flags = SETTINGS.iter().filter_map(|setting| Some((setting.key, given(setting)?))).collect();
        Ok(())
    }
}
