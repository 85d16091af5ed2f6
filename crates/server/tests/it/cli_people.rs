//! `bailiwick members` and `bailiwick invitations` against a running server.

use serde_json::json;

use crate::cli::Desk;
use crate::harness::people;

#[tokio::test]
async fn somebody_is_invited_gets_another_role_and_is_removed() {
    let desk = Desk::ready("ada@example.com").await;
    let invited = desk.run(&["members", "invite", "bob@example.com", "--role", "developer", "-o", "json"]).await.json();
    assert_eq!((&invited["role"], &invited["status"]), (&json!("developer"), &json!("pending")));
    assert_eq!(desk.run(&["members", "invite", "bob@example.com", "--role", "viewer"]).await.code, 5);
    assert_eq!(desk.run(&["members", "invite", "bob@example.com", "--role", "king"]).await.code, 2);
    let id = invited["id"].as_str().unwrap();
    assert_eq!(desk.run(&["invitations", "list", "-o", "id"]).await.ok().trim(), id);
    let token = people::token(&desk.app, "bob@example.com").await;
    let bob = desk.app.sign_in("bob@example.com").await;
    let call = desk.app.post("/auth/accept-invite", &json!({"token": token})).bearer(&bob.access_token);
    assert_eq!(call.send().await.status, 200);

    let changed = desk.run(&["members", "role", "BOB@example.com", "admin", "-o", "json"]).await.json();
    assert_eq!((&changed["email"], &changed["role"]), (&json!("bob@example.com"), &json!("admin")));
    let id = changed["user_id"].as_str().unwrap();
    assert_eq!(desk.run(&["members", "remove", id, "--confirm", "ada@example.com"]).await.code, 2);
    assert_eq!(desk.run(&["members", "role", "ada@example.com", "viewer"]).await.code, 5, "the last owner");
    desk.run(&["members", "remove", id, "--confirm", "bob@example.com"]).await.ok();
    assert_eq!(desk.run(&["members", "remove", "bob@example.com", "--confirm", "bob@example.com"]).await.code, 3);

    let again = desk.run(&["members", "invite", "bob@example.com", "--role", "viewer", "-o", "id"]).await.ok();
    desk.run(&["invitations", "revoke", again.trim()]).await.ok();
    assert_eq!(desk.run(&["invitations", "list", "-o", "id"]).await.ok().trim(), "");
    assert_eq!(desk.run(&["invitations", "resend", again.trim()]).await.code, 3);
}
