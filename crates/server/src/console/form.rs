//! Parts of forms: what was typed is kept, what is wrong stands beside its field.

/// Beside a form that comes back filled in otherwise than it was sent before.
pub(crate) const SENT_BEFORE: &str = "This form was sent before, filled in otherwise, and that was carried out. Look at what you have now, and send it \
     again if you want this as well.";

/// A text field.
#[derive(Clone, Debug, Default)]
pub(crate) struct Field {
    pub(crate) value: String,
    /// What is wrong and how to mend it.
    pub(crate) fault: Option<String>,
}

impl Field {
    /// As it was typed.
    pub(crate) fn typed(value: impl Into<String>) -> Self {
        Self { value: value.into(), fault: None }
    }

    /// With what is wrong with it.
    pub(crate) fn with_fault(mut self, fault: impl Into<String>) -> Self {
        self.fault = Some(fault.into());
        self
    }
}

/// One of several to choose from.
#[derive(Clone, Debug)]
pub(crate) struct Choice {
    pub(crate) value: String,
    pub(crate) label: String,
    pub(crate) chosen: bool,
}
