/* mcp_results.c -- what each of the nine tools answers, as JSON Schema. */
#include "mcp_app.h"

/* JSON as it is, as a string; ves/mcp.h joins texts that are written in parts.
 * What stands below for parts of it is put in first; stdbool's true would be
 * 1, which is another thing in JSON. */
#undef true
#define JSON(...)      JSON_TEXT(__VA_ARGS__)
#define JSON_TEXT(...) #__VA_ARGS__

/* clang-format off */
#define TEXT {"type" : "string"}
#define INTEGER {"type" : "integer"}
#define BOOLEAN {"type" : "boolean"}
#define WHEN {"type" : "string", "format" : "date-time"}
#define STATUS \
    {"type" : "string", \
     "enum" : ["pending", "syncing", "synced", "failed", "conflict"]}
#define STRATEGY \
    {"type" : "string", \
     "enum" : ["accept_local", "accept_remote", "merge", "manual"]}
#define CONFLICT_TYPE \
    {"type" : "string", \
     "enum" : ["concurrent_edit", "version_mismatch", "deleted_reference"]}
#define CODE \
    {"type" : "string", \
     "description" : "e.g. SIGNATURE_INVALID, SEQUENCE_GAP, NETWORK"}
#define SUMMARY \
    "summary" : {"type" : "string", "description" : \
        "One sentence stating what happened and what did not"}
#define NEXT_STEPS \
    "nextSteps" : {"type" : "array", "items" : TEXT, \
        "description" : "Suggested next calls, best first"}
#define SETTINGS \
    {"type" : "object", "properties" : { \
        "autoSync" : BOOLEAN, "syncIntervalMs" : INTEGER, \
        "batchSize" : INTEGER, "maxRetries" : INTEGER, \
        "retryBaseDelayMs" : INTEGER, "retryMaxDelayMs" : INTEGER, \
        "conflictStrategy" : STRATEGY, "outboxRetentionDays" : INTEGER}, \
     "required" : ["autoSync", "syncIntervalMs", "batchSize", "maxRetries", \
        "retryBaseDelayMs", "retryMaxDelayMs", "conflictStrategy", \
        "outboxRetentionDays"]}
#define HEALTH                                                               \
    "health" : {                                                             \
        "type" : "string",                                                   \
        "description" : "healthy: nothing to do; pending_work: events to "   \
                        "push or pull; attention: failed events, conflicts " \
                        "or bad signatures; offline: sequencer unreachable", \
        "enum" : [ "healthy", "pending_work", "attention", "offline" ]       \
    }
/* clang-format on */

const char mcp_result_get_sync_status[] = JSON({
    "type" : "object",
    "properties" : {
        HEALTH,
        SUMMARY,
        "counts" : {
            "type" : "object",
            "properties" : {
                "pending" : INTEGER,
                "syncing" : INTEGER,
                "synced" : INTEGER,
                "failed" : INTEGER,
                "conflict" : INTEGER
            },
            "required" :
                [ "pending", "syncing", "synced", "failed", "conflict" ]
        },
        "conflictsByType" : {
            "type" : "object",
            "properties" : {
                "concurrent_edit" : INTEGER,
                "version_mismatch" : INTEGER,
                "deleted_reference" : INTEGER
            }
        },
        "followUps" : {
            "type" : "integer",
            "description" : "Things that really happened and that somebody "
                            "should look at, such as stock below zero; no "
                            "conflicts"
        },
        "oldestPendingAt" : WHEN,
        "lastPushAt" : WHEN,
        "lastPullAt" : WHEN,
        "lastPulledEventId" : {
            "type" : "string",
            "description" : "Value to pass as since, if you must; pull_events "
                            "uses it by default"
        },
        "sequence" : {
            "type" : "object",
            "properties" : {
                "lastPushed" : INTEGER,
                "lastPulled" : INTEGER,
                "remoteHead" : INTEGER,
                "lag" : {
                    "type" : "integer",
                    "description" : "remoteHead - lastPulled"
                },
                "logged" : {
                    "type" : "integer",
                    "description" : "Events up to this number are in a log "
                                    "whose signed head was verified here; "
                                    "those above it rest on receipts"
                },
                "witnessed" : {
                    "type" : "integer",
                    "description" : "The same, cosigned by witnesses"
                },
                "gap" : {
                    "type" : "boolean",
                    "description" : "true if a sequence gap was seen; "
                                    "pull_events repairs it"
                }
            }
        },
        "sequencer" : {
            "type" : "object",
            "properties" :
                {"reachable" : BOOLEAN, "checkedAt" : WHEN, "error" : TEXT}
        },
        "delivery" : {
            "type" : "string",
            "description" : "With autoSync on: stream, the sequencer tells of "
                            "new events at once; polling, asked every "
                            "syncIntervalMs",
            "enum" : [ "stream", "polling" ]
        },
        "signatureFailures" : {
            "type" : "integer",
            "description" : "Events quarantined because their Ed25519 "
                            "signature did not verify"
        },
        NEXT_STEPS
    },
    "required" : [ "health", "summary", "counts", "nextSteps" ]
});

const char mcp_result_push_events[] = JSON({
    "type" : "object",
    "properties" : {
        SUMMARY,
        "dryRun" : BOOLEAN,
        "attempted" : INTEGER,
        "accepted" : INTEGER,
        "duplicates" : {
            "type" : "integer",
            "description" : "Already held by the sequencer; counted as success"
        },
        "failed" : INTEGER,
        "conflicts" : INTEGER,
        "remaining" : {
            "type" : "integer",
            "description" : "Events still waiting after this call"
        },
        "firstSequence" : INTEGER,
        "lastSequence" : INTEGER,
        "problems" : {
            "type" : "array",
            "items" : {
                "type" : "object",
                "properties" : {
                    "eventId" : TEXT,
                    "status" : STATUS,
                    "code" : CODE,
                    "message" : TEXT,
                    "retryable" : BOOLEAN
                },
                "required" :
                    [ "eventId", "status", "code", "message", "retryable" ]
            },
            "description" : "Events not accepted, at most 20; see failed and "
                            "conflicts for totals"
        },
        NEXT_STEPS
    },
    "required" : [
        "summary", "dryRun", "attempted", "accepted", "failed", "conflicts",
        "remaining", "problems", "nextSteps"
    ]
});

const char mcp_result_pull_events[] = JSON({
    "type" : "object",
    "properties" : {
        SUMMARY,
        "dryRun" : BOOLEAN,
        "received" : INTEGER,
        "applied" : INTEGER,
        "alreadyApplied" : INTEGER,
        "quarantined" :
            {"type" : "integer", "description" : "Bad signature; not applied"},
        "newConflicts" : INTEGER,
        "conflictEventIds" : {
            "type" : "array",
            "items" : TEXT,
            "description" : "Local events now in conflict, at most 20"
        },
        "events" : {
            "type" : "array",
            "items" : {
                "type" : "object",
                "properties" : {
                    "eventId" : TEXT,
                    "type" : TEXT,
                    "aggregateId" : TEXT,
                    "timestamp" : WHEN,
                    "sequence" : INTEGER,
                    "outcome" : {
                        "type" : "string",
                        "enum" : [
                            "applied", "already_applied", "quarantined",
                            "conflict"
                        ]
                    },
                    "payload" :
                        {"type" : "object", "additionalProperties" : true}
                },
                "required" :
                    [ "eventId", "type", "aggregateId", "sequence", "outcome" ]
            },
            "description" : "Present when detail is not none"
        },
        "lastEventId" :
            {"type" : "string", "description" : "Cursor after this call"},
        "hasMore" : BOOLEAN,
        "gap" : {
            "type" : "object",
            "properties" : {"expected" : INTEGER, "received" : INTEGER},
            "required" : [ "expected", "received" ],
            "description" : "Present when a sequence gap stopped the pull; "
                            "received 0: no event came"
        },
        NEXT_STEPS
    },
    "required" : [
        "summary", "dryRun", "received", "applied", "quarantined",
        "newConflicts", "hasMore", "nextSteps"
    ]
});

const char mcp_result_list_outbox_events[] = JSON({
    "type" : "object",
    "properties" : {
        SUMMARY,
        "events" : {
            "type" : "array",
            "items" : {
                "type" : "object",
                "properties" : {
                    "eventId" : TEXT,
                    "type" : TEXT,
                    "aggregateId" : TEXT,
                    "status" : STATUS,
                    "timestamp" : WHEN,
                    "localSequence" :
                        {"type" : "integer", "description" : "Own events only"},
                    "attempts" : INTEGER,
                    "lastError" : TEXT,
                    "nextRetryAt" : WHEN,
                    "conflictType" : CONFLICT_TYPE,
                    "origin" : {
                        "type" : "string",
                        "enum" : [ "own", "other" ],
                        "description" :
                            "Whose event it is; with status conflict"
                    }
                },
                "required" :
                    [ "eventId", "type", "aggregateId", "status", "timestamp" ]
            }
        },
        "total" :
            {"type" : "integer", "description" : "Events matching the filters"},
        "nextCursor" :
            {"type" : "string", "description" : "Absent on the last page"},
        NEXT_STEPS
    },
    "required" : [ "summary", "events", "total" ]
});

const char mcp_result_get_outbox_event[] = JSON({
    "type" : "object",
    "properties" : {
        SUMMARY,
        "event" : {
            "type" : "object",
            "properties" : {
                "eventId" : TEXT,
                "type" : TEXT,
                "aggregateId" : TEXT,
                "payload" : {"type" : "object", "additionalProperties" : true},
                "signature" : TEXT,
                "timestamp" : WHEN
            },
            "required" : [ "eventId", "type", "aggregateId", "timestamp" ],
            "description" : "The VES event as signed"
        },
        "status" : STATUS,
        "localSequence" : INTEGER,
        "signatureCheck" : {
            "type" : "object",
            "properties" : {"valid" : BOOLEAN, "keyId" : TEXT, "reason" : TEXT},
            "required" : ["valid"]
        },
        "attempts" : INTEGER,
        "lastError" : TEXT,
        "nextRetryAt" : WHEN,
        "receipt" : {
            "type" : "object",
            "properties" : {
                "sequence" : INTEGER,
                "receivedAt" : WHEN,
                "verified" : BOOLEAN
            },
            "required" : [ "sequence", "verified" ]
        },
        "finality" : {
            "type" : "string",
            "description" : "How final its place is: received, a receipt "
                            "promises it; logged, it is in a log whose signed "
                            "head was verified here; witnessed, that head is "
                            "cosigned",
            "enum" : [ "received", "logged", "witnessed" ]
        },
        "conflict" : {
            "type" : "object",
            "properties" : {
                "conflictType" : CONFLICT_TYPE,
                "remoteEventId" : TEXT,
                "detectedAt" : WHEN,
                "suggestedStrategy" : STRATEGY,
                "fields" : {
                    "type" : "array",
                    "items" : {
                        "type" : "object",
                        "properties" : {
                            "path" : {
                                "type" : "string",
                                "description" : "JSON Pointer into payload"
                            },
                            "base" : TEXT,
                            "local" : TEXT,
                            "remote" : TEXT
                        },
                        "required" : ["path"]
                    },
                    "description" : "Differing fields, values as JSON text, "
                                    "long ones cut; at "
                                    "most 50"
                },
                "mergeable" : {
                    "type" : "boolean",
                    "description" : "true if no field was changed on both sides"
                }
            },
            "required" : [ "conflictType", "remoteEventId", "mergeable" ]
        },
        "payloadTruncated" : {
            "type" : "boolean",
            "description" : "true if payload was over 16 KB; read "
                            "ves://event/{eventId} for all of it"
        },
        "resourceUri" : TEXT,
        NEXT_STEPS
    },
    "required" :
        [ "summary", "event", "status", "signatureCheck", "resourceUri" ]
});

const char mcp_result_acknowledge_events[] = JSON({
    "type" : "object",
    "properties" : {
        SUMMARY,
        "dryRun" : BOOLEAN,
        "acknowledged" : INTEGER,
        "alreadySynced" : INTEGER,
        "notAcknowledged" : {
            "type" : "array",
            "items" : {
                "type" : "object",
                "properties" : {
                    "eventId" : TEXT,
                    "status" : STATUS,
                    "code" : CODE,
                    "message" : TEXT,
                    "retryable" : BOOLEAN
                },
                "required" : [ "eventId", "code", "message", "retryable" ]
            },
            "description" : "At most 20; see notAcknowledgedCount"
        },
        "notAcknowledgedCount" : INTEGER,
        HEALTH,
        NEXT_STEPS
    },
    "required" : [
        "summary", "dryRun", "acknowledged", "notAcknowledged",
        "notAcknowledgedCount"
    ]
});

const char mcp_result_resolve_conflict[] = JSON({
    "type" : "object",
    "properties" : {
        SUMMARY,
        "eventId" : TEXT,
        "outcome" : {
            "type" : "string",
            "enum" : [
                "resolved", "already_resolved", "preview", "awaiting_user",
                "declined"
            ]
        },
        "strategy" : STRATEGY,
        "resultEventId" : {
            "type" : "string",
            "description" :
                "New signed event that records the decision; push it next"
        },
        "payload" : {
            "type" : "object",
            "additionalProperties" : true,
            "description" : "The entity's state after it"
        },
        "choices" : {
            "type" : "array",
            "items" : {
                "type" : "object",
                "properties" : {"strategy" : STRATEGY, "effect" : TEXT},
                "required" : [ "strategy", "effect" ]
            },
            "description" : "With awaiting_user: what to offer the user"
        },
        "fields" : {
            "type" : "array",
            "items" : {
                "type" : "object",
                "properties" : {"path" : TEXT, "local" : TEXT, "remote" : TEXT},
                "required" : ["path"]
            },
            "description" : "With awaiting_user or preview: differing fields"
        },
        "auditId" : TEXT,
        "remainingConflicts" : INTEGER,
        NEXT_STEPS
    },
    "required" :
        [ "summary", "eventId", "outcome", "strategy", "remainingConflicts" ]
});

const char mcp_result_get_sync_settings[] = JSON({
    "type" : "object",
    "properties" : {
        SUMMARY,
        "version" : {
            "type" : "integer",
            "description" : "Pass to set_sync_settings as expectedVersion"
        },
        "settings" : SETTINGS,
        "fixed" : {
            "type" : "object",
            "properties" : {
                "sequencerUrl" : TEXT,
                "tenantId" : TEXT,
                "storeId" : TEXT,
                "agentId" : TEXT,
                "signingKeyId" : TEXT,
                "readOnly" : BOOLEAN
            }
        },
        "lockedByOperator" : {
            "type" : "array",
            "items" : TEXT,
            "description" : "Settings pinned on the command line"
        }
    },
    "required" : [ "summary", "version", "settings" ]
});

const char mcp_result_set_sync_settings[] = JSON({
    "type" : "object",
    "properties" : {
        SUMMARY,
        "dryRun" : BOOLEAN,
        "version" : INTEGER,
        "changed" : {
            "type" : "array",
            "items" : {
                "type" : "object",
                "properties" : {"name" : TEXT, "from" : TEXT, "to" : TEXT},
                "required" : [ "name", "from", "to" ]
            }
        },
        "settings" : SETTINGS
    },
    "required" : [ "summary", "dryRun", "version", "changed", "settings" ]
});
