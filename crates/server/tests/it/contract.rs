//! The contract: the committed document is the one that the routes make, it breaks no promise of a release, and the
//! routes keep it.

mod compatibility;

use std::path::PathBuf;

use bailiwick_server::router;
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::app::TestApp;
use compatibility::breaking_changes;

fn committed(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../api").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn the_committed_document_is_the_one_that_the_routes_make() {
    assert!(committed("openapi.json") == router::openapi_json(), "run `cargo xtask generate` and read the difference");
}

/// `released.json` is what customers build on. It is replaced when a release is made, and only then.
#[test]
fn no_promise_of_the_release_is_broken() {
    let released: Value = serde_json::from_str(&committed("released.json")).unwrap();
    assert_eq!(breaking_changes(&released, &router::openapi()), Vec::<String>::new());
}

#[test]
fn a_breaking_change_is_noticed() {
    let now = router::openapi();
    assert_eq!(breaking_changes(&now, &now), Vec::<String>::new());
    let keys = "/v1/workspaces/{workspace}/api-keys";
    type Change = fn(&mut Value);
    let changes: [(&str, Change); 9] = [
        ("a removed operation", |doc| drop(doc["paths"]["/v1/key"].as_object_mut().unwrap().remove("get"))),
        ("a renamed operation", |doc| doc["paths"]["/v1/key"]["get"]["operationId"] = json!("other")),
        ("a removed answer field", |doc| {
            doc["components"]["schemas"]["Workspace"]["properties"].as_object_mut().unwrap().remove("slug");
        }),
        ("an answer field of another type", |doc| {
            doc["components"]["schemas"]["TokenPair"]["properties"]["expires_in"] = json!({"type": "string"});
        }),
        ("a field that is demanded now", |doc| {
            doc["components"]["schemas"]["CreateProject"]["required"] = json!(["name", "color"]);
        }),
        ("a field that is taken no more", |doc| {
            doc["components"]["schemas"]["CreateApiKey"]["properties"].as_object_mut().unwrap().remove("expires_at");
        }),
        ("another success", |doc| {
            let responses = doc["paths"]["/v1/workspaces"]["post"]["responses"].as_object_mut().unwrap();
            let created = responses.remove("201").unwrap();
            responses.insert("200".into(), created);
        }),
        ("a query parameter that is gone", |doc| {
            let parameters = doc["paths"]["/v1/workspaces"]["get"]["parameters"].as_array_mut().unwrap();
            parameters.retain(|parameter| parameter["name"] != "cursor");
        }),
        ("a code that is gone", |doc| {
            doc["components"]["schemas"]["Problem"]["properties"]["code"]["enum"].as_array_mut().unwrap().pop();
        }),
    ];
    for (name, change) in changes {
        let mut changed = now.clone();
        change(&mut changed);
        assert_ne!(breaking_changes(&now, &changed), Vec::<String>::new(), "{name}");
    }
    let mut more = now.clone();
    more["components"]["schemas"]["Workspace"]["properties"]["color"] = json!({"type": "string"});
    more["paths"][keys]["patch"] = json!({"operationId": "more", "responses": {"200": {}}});
    assert_eq!(breaking_changes(&now, &more), Vec::<String>::new(), "what is added breaks nothing");
}

#[test]
fn each_list_holds_its_own_kind_of_thing() {
    let document = router::openapi();
    let items = |path: &str| {
        let answer =
            &document["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]["$ref"];
        let page = document.pointer(answer.as_str().unwrap().trim_start_matches('#')).unwrap();
        assert_eq!(page["required"], json!(["data", "next_cursor"]));
        let item = page["properties"]["data"]["items"]["$ref"].as_str().unwrap().to_owned();
        assert!(document.pointer(item.trim_start_matches('#')).is_some(), "{item}");
        item.rsplit('/').next().unwrap().to_owned()
    };
    assert_eq!(items("/v1/workspaces"), "Workspace");
    assert_eq!(items("/v1/workspaces/{workspace}/members"), "Member");
    assert_eq!(items("/v1/workspaces/{workspace}/projects"), "Project");
    assert_eq!(items("/v1/workspaces/{workspace}/api-keys"), "ApiKey");
    assert_eq!(items("/w/{workspace}/.well-known/audit-roots"), "AuditRoot");
    assert_eq!(items("/v1/workspaces/{workspace}/secrets"), "Secret");
    assert_eq!(items("/v1/workspaces/{workspace}/secrets/{id}/accesses"), "SecretAccess");
    assert_eq!(items("/v1/workspaces/{workspace}/secrets/{id}/rotations"), "SecretRotation");
}

/// Each operation of the document is there under its method and path, and asks for what its access says.
#[tokio::test]
async fn every_operation_exists_and_lets_nobody_in_without_a_credential() {
    let app = TestApp::start().await;
    let document = router::openapi();
    let mut seen = 0;
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            seen += 1;
            let concrete = path.replace("{workspace}", "acme").replace("{id}", "key_01h455vb4pex5vsknk084sn02q");
            let method: Method = method.to_uppercase().parse().unwrap();
            let private = ["/internal/", "/livez", "/readyz"].iter().any(|start| path.starts_with(start));
            let call =
                if private { app.private(method.clone(), &concrete) } else { app.call(method.clone(), &concrete) };
            let answer = if method == Method::POST { call.json(&json!({})).send().await } else { call.send().await };
            if path.starts_with("/w/") {
                assert_eq!(
                    answer.problem(),
                    (404, "not_found".into()),
                    "{method} {path}: no slug is looked up for nobody"
                );
            } else if operation["security"] == json!([]) {
                assert!(![401, 403, 404, 405].contains(&answer.status.as_u16()), "{method} {path}: {}", answer.text);
            } else {
                assert_eq!(answer.problem(), (401, "unauthenticated".into()), "{method} {path}");
            }
            assert!(operation["responses"][answer.status.as_str()].is_object(), "{method} {path}: {}", answer.status);
        }
    }
    assert_eq!(seen, 102);
}
