//! Events under the names of OCSF 1.3, one object on each line, for a SIEM that knows that schema.
//!
//! Sign-ins and sessions are *Authentication* (3002), everything else *API Activity* (6003). What was done is told by the last word of the
//! action, as far as OCSF has a word for it; what has no place there stands in `unmapped`, so that nothing of the event is missing.

use serde_json::{Value, json};

use crate::audit::model::AuditEvent;

const VERSION: &str = "1.3.0";
/// Informational: an entry says what happened, and not how bad that is.
const SEVERITY: u8 = 1;
/// An activity that OCSF has no number for.
const OTHER: u16 = 99;

pub(super) fn line(event: &AuditEvent, text: &mut String) -> Result<(), serde_json::Error> {
    text.push_str(&serde_json::to_string(&object(event))?);
    text.push('\n');
    Ok(())
}

/// Class and activity of an action.
fn class(action: &str) -> (u16, u16) {
    let (namespace, verb) = action.rsplit_once('.').unwrap_or((action, action));
    if namespace == "sign_in" || namespace == "session" {
        let activity = match verb {
            "completed" | "failed" => 1,
            "ended" => 2,
            _ => OTHER,
        };
        return (3002, activity);
    }
    let activity = match verb.rsplit('_').next().unwrap_or(verb) {
        "created" | "added" | "opened" | "registered" | "requested" => 1,
        "read" | "revealed" | "exported" => 2,
        "updated" | "changed" | "rotated" | "set" => 3,
        "deleted" | "removed" | "revoked" | "erased" | "retired" | "pruned" | "released" => 4,
        _ => OTHER,
    };
    (6003, activity)
}

fn object(event: &AuditEvent) -> Value {
    let (class_uid, activity_id) = class(&event.action);
    let mut object = json!({
        "class_uid": class_uid,
        "category_uid": class_uid / 1000,
        "activity_id": activity_id,
        "type_uid": u32::from(class_uid) * 100 + u32::from(activity_id),
        "time": super::millis(event.recorded_at),
        "severity_id": SEVERITY,
        "metadata": {
            "version": VERSION,
            "product": {"name": "Bailiwick", "vendor_name": "Bailiwick"},
            "uid": event.id.to_string(),
            "sequence": event.seq,
            "correlation_uid": event.trace_id,
        },
        "actor": {"user": {"uid": event.actor}},
        "src_endpoint": {"ip": event.client_ip},
        "unmapped": {
            "generation": event.generation,
            "recorded_by": event.recorded_by,
            "project_id": event.project_id,
            "external_request_id": event.external_request_id,
            "meta": event.meta,
            "leaf_hash": event.leaf_hash,
            "intact": event.intact,
        },
    });
    if let Some(members) = object.as_object_mut() {
        if class_uid == 3002 {
            members.insert("user".to_owned(), json!({"uid": event.actor}));
            let failed = event.action.ends_with(".failed");
            members.insert("status_id".to_owned(), json!(if failed { 2 } else { 1 }));
            members.insert("message".to_owned(), json!(event.action));
        } else {
            let api = json!({"operation": event.action, "request": {"uid": event.request_id}});
            members.insert("api".to_owned(), api);
            members.insert("resources".to_owned(), json!([{"uid": event.target}]));
        }
    }
    object
}

#[cfg(test)]
mod tests {
    use bailiwick_proof::id::Id;
    use time::macros::datetime;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn classes_are_those_of_the_schema() {
        for (action, class_and_activity) in [
            ("sign_in.completed", (3002, 1)),
            ("sign_in.requested", (3002, 99)),
            ("session.ended", (3002, 2)),
            ("api_key.created", (6003, 1)),
            ("secret.version_added", (6003, 1)),
            ("audit.exported", (6003, 2)),
            ("audit.stream_set", (6003, 3)),
            ("subject.erased", (6003, 4)),
            ("invoice.paid", (6003, 99)),
        ] {
            assert_eq!(class(action), class_and_activity, "{action}");
        }
    }

    #[test]
    fn nothing_of_an_event_is_missing() {
        let event = AuditEvent {
            id: Id::from_uuid(Uuid::nil()),
            seq: 7,
            generation: 1,
            action: "api_key.revoked".to_owned(),
            actor: Some("usr_a".to_owned()),
            target: Some("key_b".to_owned()),
            meta: Some(json!({"why": "left"})),
            client_ip: Some("192.0.2.1".to_owned()),
            recorded_by: None,
            project_id: None,
            request_id: Some("req_1".to_owned()),
            external_request_id: None,
            trace_id: None,
            recorded_at: datetime!(2026-01-31 13:00:00.5 UTC),
            leaf_hash: "00".to_owned(),
            intact: true,
        };
        let mut text = String::new();
        line(&event, &mut text).unwrap();
        let told: Value = serde_json::from_str(text.trim_end()).unwrap();
        assert_eq!(
            (&told["class_uid"], &told["type_uid"], &told["category_uid"]),
            (&json!(6003), &json!(600_304), &json!(6))
        );
        assert_eq!(told["time"], json!(1_769_864_400_500_u64));
        assert_eq!((&told["metadata"]["sequence"], &told["actor"]["user"]["uid"]), (&json!(7), &json!("usr_a")));
        assert_eq!((&told["src_endpoint"]["ip"], &told["resources"][0]["uid"]), (&json!("192.0.2.1"), &json!("key_b")));
        assert_eq!(
            (&told["api"]["operation"], &told["unmapped"]["meta"]["why"]),
            (&json!("api_key.revoked"), &json!("left"))
        );
    }
}
