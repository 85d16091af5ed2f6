//! The limits of the routes: by address and network, by network, and by who is signed in.

use bailiwick_server::config::{Config, Limits};
use reqwest::Method;
use serde_json::{Value, json};
use time::Duration;

use super::{as_shipped, ask, behind_a_proxy, from, header, retry_after, show};
use crate::harness::app::{Person, TestApp};

#[tokio::test]
async fn five_requests_for_one_address_from_one_network_and_the_owner_asks_from_elsewhere() {
    let app = TestApp::configured(as_shipped).await;
    for left in (0..5).rev() {
        let asked = ask(&app, "ada@example.com", "192.0.2.1").await;
        assert_eq!(asked.status, 202, "{}", asked.text);
        assert_eq!(header(&asked, "ratelimit-policy"), "\"sign-in-requests\";q=5;w=600");
        assert!(header(&asked, "ratelimit").starts_with(&format!("\"sign-in-requests\";r={left};t=")));
    }
    let refused = ask(&app, "ada@example.com", "192.0.2.1").await;
    let wait = retry_after(&refused);
    assert!((590..=601).contains(&wait), "{wait}");
    assert_eq!(header(&refused, "ratelimit"), format!("\"sign-in-requests\";r=0;t={wait}"));
    assert!(refused.json()["detail"].as_str().unwrap().contains("Try again in 1"), "{}", refused.text);

    // The same address in other letters, the same network in another spelling, or behind what the client made up.
    for (email, network) in [
        ("ADA@example.COM", "192.0.2.1"),
        ("ada@example.com", "::ffff:192.0.2.1"),
        ("ada@example.com", "192.0.2.1:4711"),
        ("ada@example.com", "203.0.113.9, 192.0.2.1"),
        ("ada@example.com", "192.0.2.1, 127.0.0.9"),
    ] {
        assert_eq!(ask(&app, email, network).await.status, 429, "{email} {network}");
    }
    // Neither the network nor the address is locked out, only both together.
    assert_eq!(ask(&app, "bob@example.com", "192.0.2.1").await.status, 202);
    assert_eq!(ask(&app, "ada@example.com", "192.0.2.2").await.status, 202);

    // 64 bits of IPv6 are one customer's.
    for host in 1..=5 {
        assert_eq!(ask(&app, "ada@example.com", &format!("2001:db8:1:2::{host}")).await.status, 202);
    }
    assert_eq!(ask(&app, "ada@example.com", "2001:db8:1:2:ffff::1").await.status, 429);
    assert_eq!(ask(&app, "ada@example.com", "2001:db8:1:3::1").await.status, 202);

    // What was refused did not count, and waiting as told is enough.
    app.advance(Duration::seconds(wait - 5));
    let wait = retry_after(&ask(&app, "ada@example.com", "192.0.2.1").await);
    assert!((1..=6).contains(&wait), "{wait}");
    app.advance(Duration::seconds(wait));
    assert_eq!(ask(&app, "ada@example.com", "192.0.2.1").await.status, 202);
}

#[tokio::test]
async fn twenty_codes_and_links_from_one_network_whichever_door_they_come_to() {
    let app = TestApp::configured(as_shipped).await;
    let owner = "198.51.100.7";
    let challenge = ask(&app, "ada@example.com", owner).await.text_of("challenge");
    let mail = app.mails(1).await.remove(0);
    let code = mail.code.clone().unwrap();
    let path = mail.link.as_deref().unwrap().strip_prefix(&app.url).unwrap().to_owned();
    let token = path.split_once('=').unwrap().1.to_owned();
    let cookie = format!("bw_challenge={challenge}");
    let form = |path: &'static str, name: &'static str, value: String| {
        let (app, cookie) = (&app, &cookie);
        async move {
            let call = app.call(Method::POST, path).header("accept", "text/html").header("cookie", cookie);
            from(call.form(&[(name, &value)]), "192.0.2.1").send().await
        }
    };
    for round in 0..10 {
        let failed = show(&app, "nobody's", "K7MQ-2WXD", "192.0.2.1").await;
        assert_eq!(failed.problem(), (401, "sign_in_failed".into()));
        assert!(header(&failed, "ratelimit").starts_with(&format!("\"sign-ins\";r={};t=", 19 - 2 * round)));
        assert_eq!(form("/auth/link", "token", "nothing".to_owned()).await.status, 401);
    }
    let wait = retry_after(&show(&app, &challenge, &code, "192.0.2.1").await);

    // A page says what to do and when, keeps what is no secret, and has consumed nothing.
    let late = form("/sign-in/sent", "code", code.clone()).await;
    assert_eq!((late.status.as_u16(), header(&late, "retry-after")), (429, wait.to_string().as_str()));
    assert!(
        late.text.contains("this one was not") && late.text.contains("in 10 minutes") && !late.text.contains(&code)
    );
    let late = form("/auth/link", "token", token.clone()).await;
    assert_eq!(late.status, 429);
    assert!(late.text.contains("Too many tries from here") && late.text.contains(&format!("value=\"{token}\"")));
    // Looking at a page is no try.
    assert_eq!(from(app.get(&path).header("cookie", &cookie), "192.0.2.1").send().await.status, 200);

    assert_eq!(show(&app, &challenge, &code, owner).await.status, 200, "the owner's network has tries of its own");
    app.advance(Duration::seconds(wait));
    assert_eq!(form("/auth/link", "token", token).await.status, 401, "used up, and looked at again");
}

#[tokio::test]
async fn the_sign_in_page_keeps_the_address_and_says_when_to_ask_again() {
    let app = TestApp::configured(as_shipped).await;
    let submit = || from(app.call(Method::POST, "/sign-in").form(&[("email", "ada@example.com")]), "192.0.2.1").send();
    for _ in 0..5 {
        assert_eq!(submit().await.status, 303);
    }
    let late = submit().await;
    assert_eq!(late.status, 429);
    assert!(header(&late, "content-type").starts_with("text/html") && !header(&late, "retry-after").is_empty());
    for kept in ["value=\"ada@example.com\"", "Try again in 10 minutes", "href=\"/sign-in/sent\"", "aria-invalid"] {
        assert!(late.text.contains(kept), "{kept}");
    }
    assert_eq!(ask(&app, "ada@example.com", "192.0.2.1").await.status, 429, "page and API count together");
}

#[tokio::test]
async fn a_person_makes_sixty_changes_from_wherever_and_a_program_asks_every_five_seconds() {
    let two = |config: &mut Config| {
        config.limits = Limits { sign_ins: 2, ..config.limits };
        behind_a_proxy(config);
    };
    let app = TestApp::configured(two).await;
    let ((ada, acme), bob) = (app.founder("ada@example.com", "acme").await, app.sign_in("bob@example.com").await);
    let call = async |person: &Person, (method, path, body): &(Method, String, Value), network: &str| {
        let asked = app.call(method.clone(), path).bearer(&person.access_token);
        let asked = if body.is_null() { asked } else { asked.json(body) };
        from(asked, network).send().await
    };
    let (otp, passkey) = ("otp_01h455vb4pex5vsknk084sn02q", "pky_01h455vb4pex5vsknk084sn02q");
    let (post, named) = (|path: &str, body: Value| (Method::POST, path.to_owned(), body), json!({"name": "Telephone"}));
    let doors = [
        post("/auth/factors/authenticators", named.clone()),
        post(&format!("/auth/factors/authenticators/{otp}/confirm"), json!({"code": "123456"})),
        (Method::DELETE, format!("/auth/factors/authenticators/{otp}"), Value::Null),
        post("/auth/factors/recovery-codes", Value::Null),
        post("/auth/passkeys/register/start", Value::Null),
        post("/auth/passkeys/register/finish", json!({"ceremony": "x", "name": "x", "credential": {}})),
        post("/auth/passkeys/step-up/start", Value::Null),
        (Method::PATCH, format!("/auth/passkeys/{passkey}"), named),
        (Method::DELETE, format!("/auth/passkeys/{passkey}"), Value::Null),
        post(&format!("/v1/workspaces/{acme}/invitations"), json!({"email": "eve@example.com", "role": "viewer"})),
    ];
    let mut invited = String::new();
    for n in 0..60 {
        let answer = call(&ada, &doors[n % doors.len()], &format!("192.0.2.{n}")).await;
        assert_ne!(answer.status, 429);
        if answer.status == 201 && answer.text.contains("inv_") {
            invited = answer.text_of("id");
        }
    }
    let resend = post(&format!("/v1/workspaces/{acme}/invitations/{invited}/resend"), Value::Null);
    for door in doors.iter().chain([&resend]) {
        retry_after(&call(&ada, door, "198.51.100.1").await);
        assert_ne!(call(&bob, door, "198.51.100.1").await.status, 429, "everybody for themselves");
    }
    for (page, fields) in [
        ("factors/authenticators".to_owned(), &[("name", "x")][..]),
        (format!("factors/authenticators/{otp}/confirm"), &[("code", "123456")]),
        (format!("factors/authenticators/{otp}/remove"), &[]),
        ("factors/recovery-codes".to_owned(), &[]),
        ("passkeys".to_owned(), &[("name", "x"), ("ceremony", "x"), ("credential", "{}")]),
        (format!("passkeys/{passkey}/rename"), &[("name", "x")]),
        (format!("passkeys/{passkey}/remove"), &[]),
    ] {
        let form = app.call(Method::POST, &format!("/account/{page}")).header("cookie", &ada.cookies).form(fields);
        let late = from(form.header("accept", "text/html"), "198.51.100.1").send().await;
        assert_eq!((late.status.as_u16(), late.text.contains("Try again in 1")), (429, true), "{page}: {}", late.text);
    }

    let begun = from(app.call(Method::POST, "/auth/device"), "192.0.2.1").send().await;
    let poll = async |network: &str| {
        from(app.post("/auth/device/token", &json!({"device_code": begun.text_of("device_code")})), network)
            .send()
            .await
    };
    for _ in 0..240 {
        assert_eq!(poll("192.0.2.1").await.status, 400);
    }
    retry_after(&poll("192.0.2.1").await);
    assert_eq!(poll("192.0.2.2").await.status, 400, "from elsewhere it goes on");
}
