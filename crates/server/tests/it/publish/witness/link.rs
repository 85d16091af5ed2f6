//! A receipt behind a link, with what witnesses signed of its log: verified by the browser, and by whoever takes the file.

use bailiwick_proof::manifest::proof::ManifestProof;
use serde_json::json;
use time::Duration;

use super::{Witness, Witnessed};
use crate::harness::browser::Tab;
use crate::harness::secrets;

/// What the page weighs, with everything that it fetches: a reader comes once, and has nothing of ours.
const MOST_BYTES: u64 = 66_000;

/// The page has a part of the stylesheet alone, and looks as it would with all of it.
async fn looks_as_with_the_whole_stylesheet(tab: &Tab) {
    let told = tab
        .evaluate(
            "(async () => {
                const link = document.querySelector('link[rel=stylesheet]');
                const looks = () => [...document.body.querySelectorAll('*')].map((e) => {
                    const style = getComputedStyle(e);
                    return [...style].map((name) => `${name}: ${style.getPropertyValue(name)}`).join('; ');
                });
                const parts = looks();
                const entries = performance.getEntriesByType('resource');
                const own = performance.getEntriesByType('navigation');
                const bytes = [...own, ...entries].reduce((sum, entry) => sum + entry.decodedBodySize, 0);
                const other = await (await fetch('/sign-in')).text();
                const whole = /href=\"([^\"]*console[^\"]*css)\"/.exec(other)[1];
                await new Promise((resolve) => { link.onload = resolve; link.href = whole; });
                const all = looks();
                const differ = all.flatMap((look, at) => look === parts[at] ? [] : [document.body.querySelectorAll('*')[at].outerHTML.slice(0, 120)]);
                return { bytes, count: all.length, differ };
            })()",
        )
        .await;
    assert_eq!(told["differ"], json!([]), "{told}");
    let bytes = told["bytes"].as_u64().unwrap();
    assert!(told["count"].as_u64().unwrap() > 50 && (20_000..MOST_BYTES).contains(&bytes), "{told}");
}

#[tokio::test]
async fn a_shared_receipt_shows_and_verifies_what_witnesses_signed() {
    let (acme, vkey) = Witnessed::cell().await;
    let (mut one, mut other) =
        (Witness::init("witness.example/one").await, Witness::init("witness.example/other").await);
    one.start(std::slice::from_ref(&vkey)).await;
    other.start(std::slice::from_ref(&vkey)).await;
    let event = acme.record("door-1").await["id"].as_str().unwrap().to_owned();
    let policy = format!("{}{}group both all W X\nquorum both\n", one.line("W"), other.line("X"));
    let cell = Witnessed::begin(acme, &policy).await;
    let Witnessed { acme, home, node, .. } = &cell;
    let share = format!("/v1/workspaces/{}/audit/events/{event}/shares", acme.workspace);
    let made =
        acme.app.post(&share, &json!({"open": ["target"]})).bearer(&acme.person.access_token).send().await.json();
    let path = made["url"].as_str().unwrap().strip_prefix(&acme.app.url).unwrap().to_owned();
    secrets::record(path.rsplit('/').next().unwrap());
    let page = async || reqwest::get(format!("{}{path}", node.url)).await.unwrap().text().await.unwrap();
    assert!(!page().await.contains("data-witness"), "no manifest covers it yet");

    cell.publish(Duration::HOUR).await;
    cell.cosigned_by(&[&one, &other]).await;
    let tab = Tab::open(&node.url).await;
    tab.go(&path).await;
    tab.find("#verified:not([hidden])").await;
    let said = tab.text("#verified").await;
    assert!(said.contains("names its root, and 2 witnesses have cosigned that") && said.contains("target"), "{said}");
    let shown = tab.text("[data-cell]").await;
    assert!(shown.contains(&one.key.to_string()) && shown.contains(&other.key.to_string()), "{shown}");
    tab.look("shared-receipt-witnessed").await;
    looks_as_with_the_whole_stylesheet(&tab).await;
    let another = "e.textContent = e.textContent.replace(/(— witness.example.other .{40})(.)/, (_, all, one) => all + (one === 'A' ? 'B' : 'A'))";
    for (selector, does, why) in [
        ("[data-witness] time", "e.dateTime = '2026-01-01T00:00:00Z'", "another witness, or another time"),
        ("#witnessed", "e.textContent = e.textContent.replace(/^index .*$/m, 'index 9')", "does not name this log"),
        ("#witnessed", another, "signature on the checkpoint is wrong"),
    ] {
        tab.go(&path).await;
        tab.find("#verified:not([hidden])").await;
        tab.evaluate(&format!("(e => {{ {does} }})(document.querySelector('{selector}'))")).await;
        tab.click("#verify").await;
        tab.find("#refused:not([hidden])").await;
        let refused = tab.text("#refused").await;
        assert!(refused.contains(why), "{does}: {refused}");
    }
    tab.close();

    // The file is what a verifier elsewhere takes, under the policy that it believes.
    let file = reqwest::get(format!("{}{path}/receipt?witnessed", node.url)).await.unwrap();
    assert_eq!(file.headers()["content-disposition"], "attachment; filename=\"receipt.manifest\"");
    let file = file.text().await.unwrap();
    file.parse::<ManifestProof>().unwrap();
    std::fs::write(home.path("receipt.manifest"), file).unwrap();
    let log = acme.public("jwks.json").await.json()["keys"][0]["vkey"].as_str().unwrap().to_owned();
    let verify =
        ["verify", "receipt.manifest", "--key", &log, "--key", &vkey, "--policy", "witnesses.policy", "-o", "json"];
    let verified = home.run(&verify, "").await.json();
    assert_eq!(verified["opened"]["target"], "door-1", "{verified}");
}
