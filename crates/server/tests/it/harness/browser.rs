//! A real Chromium, driven over its DevTools protocol.
//!
//! Everything that the browser complains of (Content-Security-Policy, script errors) is collected and fails the test at
//! its end; every page that is looked at is held against axe-core and, at the width of a phone, against scrolling sideways.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chromiumoxide::Page;
use chromiumoxide::browser::{Browser, BrowserConfig};
use chromiumoxide::cdp::browser_protocol::emulation::{
    MediaFeature, SetDeviceMetricsOverrideParams, SetEmulatedMediaParams,
};
use chromiumoxide::cdp::browser_protocol::input::InsertTextParams;
use chromiumoxide::cdp::browser_protocol::log::{self, EventEntryAdded, LogEntrySource};
use chromiumoxide::cdp::browser_protocol::page::CaptureScreenshotFormat;
use chromiumoxide::cdp::browser_protocol::web_authn::{
    self, AddVirtualAuthenticatorParams, AuthenticatorId, AuthenticatorProtocol, AuthenticatorTransport,
    SetAutomaticPresenceSimulationParams, VirtualAuthenticatorOptions,
};
use chromiumoxide::cdp::js_protocol::runtime::{EvaluateParams, EventExceptionThrown};
use chromiumoxide::page::ScreenshotParams;
use futures_util::StreamExt as _;
use serde_json::Value;

use super::run_dir::{run_dir, variable};

const PATIENCE: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(25);
const ARGUMENTS: [&str; 7] = [
    "disable-gpu",
    "disable-quic",
    "no-first-run",
    "disable-background-networking",
    "disable-component-update",
    "disable-sync",
    "disable-dev-shm-usage",
];

/// One tab.
pub struct Tab {
    page: Page,
    origin: String,
    axe: String,
    complaints: Arc<Mutex<Vec<String>>>,
    _browser: Browser,
    _profile: tempfile::TempDir,
}

impl Tab {
    /// Opens a browser on an empty page; paths are below `origin`.
    pub async fn open(origin: &str) -> Self {
        let axe = variable("AXE_CORE_JS").expect("AXE_CORE_JS names axe.min.js; `cargo xtask test` sets it");
        let axe = std::fs::read_to_string(axe).unwrap();
        let profile = tempfile::tempdir().unwrap();
        let chromium = variable("CHROMIUM").map_or_else(|| PathBuf::from("/usr/bin/chromium"), PathBuf::from);
        let config = BrowserConfig::builder()
            .chrome_executable(chromium)
            .no_sandbox()
            .new_headless_mode()
            .user_data_dir(profile.path())
            .viewport(None)
            .args(ARGUMENTS)
            .build()
            .unwrap();
        let (browser, mut handler) = Browser::launch(config).await.unwrap();
        // Never ends on an event that it does not know.
        tokio::spawn(async move { while handler.next().await.is_some() {} });
        let page = browser.new_page("about:blank").await.unwrap();
        let complaints = collect_complaints(&page).await;
        let tab = Self { page, origin: origin.to_owned(), axe, complaints, _browser: browser, _profile: profile };
        tab.shape(1280, false).await;
        tab
    }

    /// Goes to a path, or to a whole URL.
    pub async fn go(&self, path: &str) {
        let url = if path.starts_with("http") { path.to_owned() } else { format!("{}{path}", self.origin) };
        self.page.goto(url).await.unwrap();
    }

    /// Waits for something on the page.
    pub async fn find(&self, selector: &str) {
        self.until(selector, &format!("document.querySelector({}) !== null", json(selector))).await;
    }

    /// Waits until the page says it.
    pub async fn says(&self, text: &str) {
        self.until(text, &format!("document.body.innerText.includes({})", json(text))).await;
    }

    /// Waits until the path begins so.
    pub async fn arrive(&self, path: &str) {
        let here = format!("location.pathname.startsWith({}) && document.readyState === 'complete'", json(path));
        self.until(path, &here).await;
    }

    /// Clicks, as a pointer does.
    pub async fn click(&self, selector: &str) {
        self.find(selector).await;
        self.page.find_element(selector).await.unwrap().click().await.unwrap();
    }

    /// Types into a field.
    pub async fn fill(&self, selector: &str, text: &str) {
        self.find(selector).await;
        let field = self.page.find_element(selector).await.unwrap();
        field.click().await.unwrap();
        // As an input method does: `type_str` knows the keys of one keyboard only.
        self.page.execute(InsertTextParams::new(text)).await.unwrap();
    }

    /// The text of an element, or the value of a field.
    pub async fn text(&self, selector: &str) -> String {
        self.find(selector).await;
        let script = format!("(e => e.value ?? e.innerText)(document.querySelector({}))", json(selector));
        self.evaluate(&script).await.as_str().unwrap().trim().to_owned()
    }

    /// What an expression says; scripts run as the page's own do, without eval.
    pub async fn evaluate(&self, script: &str) -> Value {
        let parameters = EvaluateParams::builder()
            .expression(script)
            .await_promise(true)
            .return_by_value(true)
            .allow_unsafe_eval_blocked_by_csp(false)
            .build()
            .unwrap();
        self.page.evaluate_expression(parameters).await.unwrap().value().cloned().unwrap_or_default()
    }

    /// The page's source, as it was sent.
    pub async fn source(&self) -> String {
        self.evaluate("document.documentElement.outerHTML").await.as_str().unwrap().to_owned()
    }

    /// Looks at the page as it is: wide and narrow, light and dark. Takes pictures, asks axe-core, and holds that
    /// nothing scrolls sideways.
    pub async fn look(&self, name: &str) {
        for (width, dark) in [(1280, false), (1280, true), (390, false), (390, true)] {
            self.shape(width, dark).await;
            self.evaluate("Promise.all(document.getAnimations().map(a => a.finished))").await;
            self.picture(&format!("{name}-{width}-{}", if dark { "dark" } else { "light" })).await;
            let wide = self.evaluate("document.documentElement.scrollWidth - window.innerWidth").await;
            assert!(wide.as_i64().unwrap() <= 0, "{name} scrolls sideways by {wide} px at {width}");
            self.evaluate(&format!("{}; true", self.axe)).await;
            let script =
                "axe.run().then(r => r.violations.map(v => v.id + ': ' + v.nodes.map(n => n.html).join(' | ')))";
            assert_eq!(
                self.evaluate(script).await,
                Value::Array(vec![]),
                "axe-core on {name} at {width}, dark: {dark}"
            );
        }
        self.shape(1280, false).await;
    }

    /// Gives the browser an authenticator that knows its person, and waits for nobody's finger.
    pub async fn authenticator(&self) -> Device<'_> {
        self.page.execute(web_authn::EnableParams::default()).await.unwrap();
        let options = VirtualAuthenticatorOptions::builder()
            .protocol(AuthenticatorProtocol::Ctap2)
            .transport(AuthenticatorTransport::Internal)
            .has_resident_key(true)
            .has_user_verification(true)
            .is_user_verified(true)
            .automatic_presence_simulation(true)
            .build()
            .unwrap();
        let added = self.page.execute(AddVirtualAuthenticatorParams::new(options)).await.unwrap();
        Device { tab: self, id: added.result.authenticator_id }
    }

    /// Nothing was complained of.
    pub fn close(self) {
        let complaints = self.complaints.lock().unwrap();
        assert!(complaints.is_empty(), "{complaints:#?}");
    }

    async fn until(&self, what: &str, condition: &str) {
        let waited = tokio::time::timeout(PATIENCE, async {
            loop {
                // Between two documents there is nobody to ask.
                let asked = self.page.evaluate_expression(condition).await;
                if asked.ok().and_then(|it| it.value().and_then(Value::as_bool)) == Some(true) {
                    return;
                }
                tokio::time::sleep(POLL).await;
            }
        });
        if waited.await.is_err() {
            let here = self.evaluate("location.href + '\\n' + document.body.innerText").await;
            panic!("waited in vain for {what} at {}", here.as_str().unwrap_or_default());
        }
    }

    async fn shape(&self, width: i64, dark: bool) {
        self.page.execute(SetDeviceMetricsOverrideParams::new(width, 900, 1.0, width < 600)).await.unwrap();
        let scheme = MediaFeature::new("prefers-color-scheme", if dark { "dark" } else { "light" });
        let still = MediaFeature::new("prefers-reduced-motion", "reduce");
        let media = SetEmulatedMediaParams::builder().features([scheme, still]).build();
        self.page.execute(media).await.unwrap();
    }

    async fn picture(&self, name: &str) {
        let Some(dir) = run_dir().map(|dir| dir.join("screenshots")) else { return };
        std::fs::create_dir_all(&dir).unwrap();
        let parameters = ScreenshotParams::builder().format(CaptureScreenshotFormat::Png).full_page(true).build();
        self.page.save_screenshot(parameters, dir.join(format!("{name}.png"))).await.unwrap();
    }
}

/// The browser's authenticator.
pub struct Device<'a> {
    tab: &'a Tab,
    id: AuthenticatorId,
}

impl Device<'_> {
    /// Whether its person puts a finger on it as soon as it asks.
    pub async fn answers(&self, at_once: bool) {
        let parameters = SetAutomaticPresenceSimulationParams::new(self.id.clone(), at_once);
        self.tab.page.execute(parameters).await.unwrap();
    }
}

async fn collect_complaints(page: &Page) -> Arc<Mutex<Vec<String>>> {
    let complaints = Arc::new(Mutex::new(Vec::new()));
    page.execute(log::EnableParams::default()).await.unwrap();
    let mut entries = page.event_listener::<EventEntryAdded>().await.unwrap();
    let mut exceptions = page.event_listener::<EventExceptionThrown>().await.unwrap();
    let list = complaints.clone();
    tokio::spawn(async move {
        while let Some(event) = entries.next().await {
            let entry = &event.entry;
            if entry.source == LogEntrySource::Security || entry.text.contains("Content Security Policy") {
                list.lock().unwrap().push(entry.text.clone());
            }
        }
    });
    let list = complaints.clone();
    tokio::spawn(async move {
        while let Some(event) = exceptions.next().await {
            list.lock().unwrap().push(format!("{:?}", event.exception_details));
        }
    });
    complaints
}

fn json(text: &str) -> String {
    Value::from(text).to_string()
}
