//! A rule of one's own in a run.

use std::sync::Arc;

use clapp_rules::Plasticity;
use serde::{Deserialize, Serialize};

use crate::Error;

/// A rule that a program brings along instead of one that settings can say.
///
/// A configuration in a file holds its name alone, because the rule is code. Two rules of one name are
/// taken for the same.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct OwnRule {
    name: String,
    rule: Option<Arc<dyn Plasticity>>,
}

impl OwnRule {
    pub(crate) fn new(name: &str, rule: Arc<dyn Plasticity>) -> Self {
        Self { name: name.to_owned(), rule: Some(rule) }
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The rule.
    ///
    /// # Errors
    ///
    /// If the configuration was read from a file and nobody has handed the rule in.
    pub(crate) fn rule(&self) -> Result<&dyn Plasticity, Error> {
        self.rule.as_deref().ok_or_else(|| {
            Error::misfit(
                format!("the rule {} from the program that began the run", self.name),
                "none",
                "resume with Run::resume_with",
            )
        })
    }
}

impl PartialEq for OwnRule {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl From<String> for OwnRule {
    fn from(name: String) -> Self {
        Self { name, rule: None }
    }
}

impl From<OwnRule> for String {
    fn from(own: OwnRule) -> Self {
        own.name
    }
}
