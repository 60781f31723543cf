//! Templates: rules and contracts packed up, to be applied to another project.

use std::{collections::BTreeMap, fmt};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    clock::Timestamp,
    domain::json::tree,
    domain::{
        RawJson,
        contracts::{Contract, type_name},
        rules::{Intake, RuleDraft},
        string_enum,
    },
    error::Invalid,
    ids::{ProjectName, SpecName, TemplateId},
};

/// A template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Template {
    /// Its id.
    pub id: TemplateId,
    /// What people call it.
    pub name: String,
    /// What it is good for.
    #[serde(default)]
    pub description: String,
    /// What its data is.
    pub kind: TemplateKind,
    /// What it holds.
    pub data: RawJson,
    /// To find it by.
    #[serde(default)]
    pub tags: Vec<String>,
    /// Counts its replacements.
    pub version: u64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last replaced.
    pub updated_at: Timestamp,
}

/// A template in a list: all of it but its data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct TemplateSummary {
    /// Its id.
    pub id: TemplateId,
    /// What people call it.
    pub name: String,
    /// What it is good for.
    pub description: String,
    /// What its data is.
    pub kind: TemplateKind,
    /// To find it by.
    pub tags: Vec<String>,
    /// Counts its replacements.
    pub version: u64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last replaced.
    pub updated_at: Timestamp,
}

impl From<&Template> for TemplateSummary {
    fn from(template: &Template) -> Self {
        let Template { id, name, description, kind, data: _, tags, version, created_at, updated_at } =
            template;
        Self {
            id: id.clone(),
            name: name.clone(),
            description: description.clone(),
            kind: *kind,
            tags: tags.clone(),
            version: *version,
            created_at: *created_at,
            updated_at: *updated_at,
        }
    }
}

string_enum! {
    /// What the data of a template is.
    #[derive(Default)]
    TemplateKind, "kind", {
        /// An array of rules.
        #[default]
        Rules = "rules",
        /// One contract, or a map from names to contracts.
        Contracts = "contracts",
        /// Rules, contracts and specs together.
        Bundle = "bundle",
    }, "rules, contracts, or bundle"
}

/// What applying a template brings to a project.
#[derive(Debug, Default)]
pub struct Contents {
    /// Rules to import.
    pub rules: Vec<RuleDraft>,
    /// Specs to store, contracts among them.
    pub specs: BTreeMap<SpecName, Value>,
}

#[derive(Deserialize)]
struct Bundle {
    #[serde(default)]
    rules: Vec<RuleDraft>,
    #[serde(default)]
    contracts: BTreeMap<SpecName, Value>,
    #[serde(default)]
    specs: BTreeMap<SpecName, Value>,
}

impl Contents {
    /// Reads the data of a template; absent data and `{}` are an empty template.
    ///
    /// # Errors
    /// When the data does not fit the kind, or holds a rule or contract that could not be stored.
    pub fn read(id: &TemplateId, kind: TemplateKind, data: &RawJson) -> Result<Self, Invalid> {
        let data = tree(data.as_str().as_bytes())?;
        let misfit =
            |error: &dyn fmt::Display| Invalid::new(format!("data does not fit kind {kind}: {error}"));
        if data.is_null() || data.as_object().is_some_and(serde_json::Map::is_empty) {
            return Ok(Self::default());
        }
        // An array would be read as a struct's fields in order.
        if kind != TemplateKind::Rules && !data.is_object() {
            return Err(misfit(&format!("expected object, got {}", type_name(&data))));
        }
        let mut contents = Self::default();
        match kind {
            TemplateKind::Rules => {
                contents.rules = serde_json::from_value(data).map_err(|error| misfit(&error))?;
            }
            TemplateKind::Contracts => {
                let contracts = if data.get("kind").is_some_and(|kind| kind == "contract") {
                    BTreeMap::from([(SpecName::new(id.as_str())?, data)])
                } else {
                    serde_json::from_value(data).map_err(|error| misfit(&error))?
                };
                contents.add_contracts(contracts)?;
            }
            TemplateKind::Bundle => {
                let bundle: Bundle = serde_json::from_value(data).map_err(|error| misfit(&error))?;
                contents.rules = bundle.rules;
                contents.specs = bundle.specs;
                contents.add_contracts(bundle.contracts)?;
            }
        }
        contents.check_rules()?;
        Ok(contents)
    }

    fn add_contracts(&mut self, contracts: BTreeMap<SpecName, Value>) -> Result<(), Invalid> {
        for (name, contract) in contracts {
            Contract::parse(&contract).map_err(|violations| {
                let first =
                    violations.first().map_or_else(String::new, |v| format!("{}: {}", v.path, v.message));
                Invalid::new(format!("contract {name} is not well-formed: {first}"))
            })?;
            if self.specs.insert(name.clone(), contract).is_some() {
                return Err(Invalid::new(format!("{name} is there as a contract and as a spec")));
            }
        }
        Ok(())
    }

    /// The project and the time don't matter to whether a rule can be stored: any will do.
    fn check_rules(&self) -> Result<(), Invalid> {
        let project = ProjectName::new("template")?;
        let intake = Intake::Template(&project);
        RuleDraft::check_all(self.rules.clone(), intake, Timestamp::from_millis(0)).map(|_| ())
    }
}
