/* mcp_results.c -- what each of the nine tools answers, as JSON Schema. */
#include "mcp_app.h"

/* JSON as it is, as a string; ves/mcp.h joins texts that are written in parts.
 */
#define JSON(...) #__VA_ARGS__

const char mcp_result_get_sync_status[] = JSON({
    "type" : "object",
    "properties" : {
        "health" : {
            "type" : "string",
            "description" : "healthy: nothing to do; pending_work: events to "
                            "push or pull; attention: failed events, conflicts "
                            "or bad signatures; offline: sequencer unreachable",
            "enum" : [ "healthy", "pending_work", "attention", "offline" ]
        },
        "summary" : {
            "type" : "string",
            "description" :
                "One sentence stating what happened and what did not"
        },
        "counts" : {
            "type" : "object",
            "properties" : {
                "pending" : {"type" : "integer"},
                "syncing" : {"type" : "integer"},
                "synced" : {"type" : "integer"},
                "failed" : {"type" : "integer"},
                "conflict" : {"type" : "integer"}
            },
            "required" :
                [ "pending", "syncing", "synced", "failed", "conflict" ]
        },
        "conflictsByType" : {
            "type" : "object",
            "properties" : {
                "concurrent_edit" : {"type" : "integer"},
                "version_mismatch" : {"type" : "integer"},
                "deleted_reference" : {"type" : "integer"}
            }
        },
        "followUps" : {
            "type" : "integer",
            "description" : "Things that really happened and that somebody "
                            "should look at, such as stock below zero; no "
                            "conflicts"
        },
        "oldestPendingAt" : {"type" : "string", "format" : "date-time"},
        "lastPushAt" : {"type" : "string", "format" : "date-time"},
        "lastPullAt" : {"type" : "string", "format" : "date-time"},
        "lastPulledEventId" : {
            "type" : "string",
            "description" : "Value to pass as since, if you must; pull_events "
                            "uses it by default"
        },
        "sequence" : {
            "type" : "object",
            "properties" : {
                "lastPushed" : {"type" : "integer"},
                "lastPulled" : {"type" : "integer"},
                "remoteHead" : {"type" : "integer"},
                "lag" : {
                    "type" : "integer",
                    "description" : "remoteHead - lastPulled"
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
            "properties" : {
                "reachable" : {"type" : "boolean"},
                "checkedAt" : {"type" : "string", "format" : "date-time"},
                "error" : {"type" : "string"}
            }
        },
        "signatureFailures" : {
            "type" : "integer",
            "description" : "Events quarantined because their Ed25519 "
                            "signature did not verify"
        },
        "nextSteps" : {
            "type" : "array",
            "items" : {"type" : "string"},
            "description" : "Suggested next calls, best first"
        }
    },
    "required" : [ "health", "summary", "counts", "nextSteps" ]
});

const char mcp_result_push_events[] = JSON({
    "type" : "object",
    "properties" : {
        "summary" : {
            "type" : "string",
            "description" :
                "One sentence stating what happened and what did not"
        },
        "dryRun" : {"type" : "boolean"},
        "attempted" : {"type" : "integer"},
        "accepted" : {"type" : "integer"},
        "duplicates" : {
            "type" : "integer",
            "description" : "Already held by the sequencer; counted as success"
        },
        "failed" : {"type" : "integer"},
        "conflicts" : {"type" : "integer"},
        "remaining" : {
            "type" : "integer",
            "description" : "Events still waiting after this call"
        },
        "firstSequence" : {"type" : "integer"},
        "lastSequence" : {"type" : "integer"},
        "problems" : {
            "type" : "array",
            "items" : {
                "type" : "object",
                "properties" : {
                    "eventId" : {"type" : "string"},
                    "status" : {
                        "type" : "string",
                        "enum" : [
                            "pending", "syncing", "synced", "failed", "conflict"
                        ]
                    },
                    "code" : {
                        "type" : "string",
                        "description" :
                            "e.g. SIGNATURE_INVALID, SEQUENCE_GAP, NETWORK"
                    },
                    "message" : {"type" : "string"},
                    "retryable" : {"type" : "boolean"}
                },
                "required" :
                    [ "eventId", "status", "code", "message", "retryable" ]
            },
            "description" : "Events not accepted, at most 20; see failed and "
                            "conflicts for totals"
        },
        "nextSteps" : {
            "type" : "array",
            "items" : {"type" : "string"},
            "description" : "Suggested next calls, best first"
        }
    },
    "required" : [
        "summary", "dryRun", "attempted", "accepted", "failed", "conflicts",
        "remaining", "problems", "nextSteps"
    ]
});

const char mcp_result_pull_events[] = JSON({
    "type" : "object",
    "properties" : {
        "summary" : {
            "type" : "string",
            "description" :
                "One sentence stating what happened and what did not"
        },
        "dryRun" : {"type" : "boolean"},
        "received" : {"type" : "integer"},
        "applied" : {"type" : "integer"},
        "alreadyApplied" : {"type" : "integer"},
        "quarantined" :
            {"type" : "integer", "description" : "Bad signature; not applied"},
        "newConflicts" : {"type" : "integer"},
        "conflictEventIds" : {
            "type" : "array",
            "items" : {"type" : "string"},
            "description" : "Local events now in conflict, at most 20"
        },
        "events" : {
            "type" : "array",
            "items" : {
                "type" : "object",
                "properties" : {
                    "eventId" : {"type" : "string"},
                    "type" : {"type" : "string"},
                    "aggregateId" : {"type" : "string"},
                    "timestamp" : {"type" : "string", "format" : "date-time"},
                    "sequence" : {"type" : "integer"},
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
        "hasMore" : {"type" : "boolean"},
        "gap" : {
            "type" : "object",
            "properties" : {
                "expected" : {"type" : "integer"},
                "received" : {"type" : "integer"}
            },
            "required" : [ "expected", "received" ],
            "description" : "Present when a sequence gap stopped the pull"
        },
        "nextSteps" : {
            "type" : "array",
            "items" : {"type" : "string"},
            "description" : "Suggested next calls, best first"
        }
    },
    "required" : [
        "summary", "dryRun", "received", "applied", "quarantined",
        "newConflicts", "hasMore", "nextSteps"
    ]
});

const char mcp_result_list_outbox_events[] = JSON({
    "type" : "object",
    "properties" : {
        "summary" : {
            "type" : "string",
            "description" :
                "One sentence stating what happened and what did not"
        },
        "events" : {
            "type" : "array",
            "items" : {
                "type" : "object",
                "properties" : {
                    "eventId" : {"type" : "string"},
                    "type" : {"type" : "string"},
                    "aggregateId" : {"type" : "string"},
                    "status" : {
                        "type" : "string",
                        "enum" : [
                            "pending", "syncing", "synced", "failed", "conflict"
                        ]
                    },
                    "timestamp" : {"type" : "string", "format" : "date-time"},
                    "localSequence" :
                        {"type" : "integer", "description" : "Own events only"},
                    "attempts" : {"type" : "integer"},
                    "lastError" : {"type" : "string"},
                    "nextRetryAt" : {"type" : "string", "format" : "date-time"},
                    "conflictType" : {
                        "type" : "string",
                        "enum" : [
                            "concurrent_edit", "version_mismatch",
                            "deleted_reference"
                        ]
                    },
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
        "nextSteps" : {
            "type" : "array",
            "items" : {"type" : "string"},
            "description" : "Suggested next calls, best first"
        }
    },
    "required" : [ "summary", "events", "total" ]
});

const char mcp_result_get_outbox_event[] = JSON({
    "type" : "object",
    "properties" : {
        "summary" : {
            "type" : "string",
            "description" :
                "One sentence stating what happened and what did not"
        },
        "event" : {
            "type" : "object",
            "properties" : {
                "eventId" : {"type" : "string"},
                "type" : {"type" : "string"},
                "aggregateId" : {"type" : "string"},
                "payload" : {"type" : "object", "additionalProperties" : true},
                "signature" : {"type" : "string"},
                "timestamp" : {"type" : "string", "format" : "date-time"}
            },
            "required" : [ "eventId", "type", "aggregateId", "timestamp" ],
            "description" : "The VES event as signed"
        },
        "status" : {
            "type" : "string",
            "enum" : [ "pending", "syncing", "synced", "failed", "conflict" ]
        },
        "localSequence" : {"type" : "integer"},
        "signatureCheck" : {
            "type" : "object",
            "properties" : {
                "valid" : {"type" : "boolean"},
                "keyId" : {"type" : "string"},
                "reason" : {"type" : "string"}
            },
            "required" : ["valid"]
        },
        "attempts" : {"type" : "integer"},
        "lastError" : {"type" : "string"},
        "nextRetryAt" : {"type" : "string", "format" : "date-time"},
        "receipt" : {
            "type" : "object",
            "properties" : {
                "sequence" : {"type" : "integer"},
                "receivedAt" : {"type" : "string", "format" : "date-time"},
                "verified" : {"type" : "boolean"}
            },
            "required" : [ "sequence", "verified" ]
        },
        "conflict" : {
            "type" : "object",
            "properties" : {
                "conflictType" : {
                    "type" : "string",
                    "enum" : [
                        "concurrent_edit", "version_mismatch",
                        "deleted_reference"
                    ]
                },
                "remoteEventId" : {"type" : "string"},
                "detectedAt" : {"type" : "string", "format" : "date-time"},
                "suggestedStrategy" : {
                    "type" : "string",
                    "enum" :
                        [ "accept_local", "accept_remote", "merge", "manual" ]
                },
                "fields" : {
                    "type" : "array",
                    "items" : {
                        "type" : "object",
                        "properties" : {
                            "path" : {
                                "type" : "string",
                                "description" : "JSON Pointer into payload"
                            },
                            "base" : {"type" : "string"},
                            "local" : {"type" : "string"},
                            "remote" : {"type" : "string"}
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
        "resourceUri" : {"type" : "string"},
        "nextSteps" : {
            "type" : "array",
            "items" : {"type" : "string"},
            "description" : "Suggested next calls, best first"
        }
    },
    "required" :
        [ "summary", "event", "status", "signatureCheck", "resourceUri" ]
});

const char mcp_result_acknowledge_events[] = JSON({
    "type" : "object",
    "properties" : {
        "summary" : {
            "type" : "string",
            "description" :
                "One sentence stating what happened and what did not"
        },
        "dryRun" : {"type" : "boolean"},
        "acknowledged" : {"type" : "integer"},
        "alreadySynced" : {"type" : "integer"},
        "notAcknowledged" : {
            "type" : "array",
            "items" : {
                "type" : "object",
                "properties" : {
                    "eventId" : {"type" : "string"},
                    "status" : {
                        "type" : "string",
                        "enum" : [
                            "pending", "syncing", "synced", "failed", "conflict"
                        ]
                    },
                    "code" : {
                        "type" : "string",
                        "description" :
                            "e.g. SIGNATURE_INVALID, SEQUENCE_GAP, NETWORK"
                    },
                    "message" : {"type" : "string"},
                    "retryable" : {"type" : "boolean"}
                },
                "required" : [ "eventId", "code", "message", "retryable" ]
            },
            "description" : "At most 20; see notAcknowledgedCount"
        },
        "notAcknowledgedCount" : {"type" : "integer"},
        "nextSteps" : {
            "type" : "array",
            "items" : {"type" : "string"},
            "description" : "Suggested next calls, best first"
        }
    },
    "required" : [
        "summary", "dryRun", "acknowledged", "notAcknowledged",
        "notAcknowledgedCount"
    ]
});

const char mcp_result_resolve_conflict[] = JSON({
    "type" : "object",
    "properties" : {
        "summary" : {
            "type" : "string",
            "description" :
                "One sentence stating what happened and what did not"
        },
        "eventId" : {"type" : "string"},
        "outcome" : {
            "type" : "string",
            "enum" : [
                "resolved", "already_resolved", "preview", "awaiting_user",
                "declined"
            ]
        },
        "strategy" : {
            "type" : "string",
            "enum" : [ "accept_local", "accept_remote", "merge", "manual" ]
        },
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
                "properties" : {
                    "strategy" : {
                        "type" : "string",
                        "enum" : [
                            "accept_local", "accept_remote", "merge", "manual"
                        ]
                    },
                    "effect" : {"type" : "string"}
                },
                "required" : [ "strategy", "effect" ]
            },
            "description" : "With awaiting_user: what to offer the user"
        },
        "fields" : {
            "type" : "array",
            "items" : {
                "type" : "object",
                "properties" : {
                    "path" : {"type" : "string"},
                    "local" : {"type" : "string"},
                    "remote" : {"type" : "string"}
                },
                "required" : ["path"]
            },
            "description" : "With awaiting_user or preview: differing fields"
        },
        "auditId" : {"type" : "string"},
        "remainingConflicts" : {"type" : "integer"},
        "nextSteps" : {
            "type" : "array",
            "items" : {"type" : "string"},
            "description" : "Suggested next calls, best first"
        }
    },
    "required" :
        [ "summary", "eventId", "outcome", "strategy", "remainingConflicts" ]
});

const char mcp_result_get_sync_settings[] = JSON({
    "type" : "object",
    "properties" : {
        "summary" : {
            "type" : "string",
            "description" :
                "One sentence stating what happened and what did not"
        },
        "version" : {
            "type" : "integer",
            "description" : "Pass to set_sync_settings as expectedVersion"
        },
        "settings" : {
            "type" : "object",
            "properties" : {
                "autoSync" : {"type" : "boolean"},
                "syncIntervalMs" : {"type" : "integer"},
                "batchSize" : {"type" : "integer"},
                "maxRetries" : {"type" : "integer"},
                "retryBaseDelayMs" : {"type" : "integer"},
                "retryMaxDelayMs" : {"type" : "integer"},
                "conflictStrategy" : {
                    "type" : "string",
                    "enum" :
                        [ "accept_local", "accept_remote", "merge", "manual" ]
                },
                "outboxRetentionDays" : {"type" : "integer"}
            },
            "required" : [
                "autoSync", "syncIntervalMs", "batchSize", "maxRetries",
                "retryBaseDelayMs", "retryMaxDelayMs", "conflictStrategy",
                "outboxRetentionDays"
            ]
        },
        "fixed" : {
            "type" : "object",
            "properties" : {
                "sequencerUrl" : {"type" : "string"},
                "tenantId" : {"type" : "string"},
                "storeId" : {"type" : "string"},
                "agentId" : {"type" : "string"},
                "signingKeyId" : {"type" : "string"},
                "readOnly" : {"type" : "boolean"}
            }
        },
        "lockedByOperator" : {
            "type" : "array",
            "items" : {"type" : "string"},
            "description" : "Settings pinned on the command line"
        }
    },
    "required" : [ "summary", "version", "settings" ]
});

const char mcp_result_set_sync_settings[] = JSON({
    "type" : "object",
    "properties" : {
        "summary" : {
            "type" : "string",
            "description" :
                "One sentence stating what happened and what did not"
        },
        "dryRun" : {"type" : "boolean"},
        "version" : {"type" : "integer"},
        "changed" : {
            "type" : "array",
            "items" : {
                "type" : "object",
                "properties" : {
                    "name" : {"type" : "string"},
                    "from" : {"type" : "string"},
                    "to" : {"type" : "string"}
                },
                "required" : [ "name", "from", "to" ]
            }
        },
        "settings" : {
            "type" : "object",
            "properties" : {
                "autoSync" : {"type" : "boolean"},
                "syncIntervalMs" : {"type" : "integer"},
                "batchSize" : {"type" : "integer"},
                "maxRetries" : {"type" : "integer"},
                "retryBaseDelayMs" : {"type" : "integer"},
                "retryMaxDelayMs" : {"type" : "integer"},
                "conflictStrategy" : {
                    "type" : "string",
                    "enum" :
                        [ "accept_local", "accept_remote", "merge", "manual" ]
                },
                "outboxRetentionDays" : {"type" : "integer"}
            },
            "required" : [
                "autoSync", "syncIntervalMs", "batchSize", "maxRetries",
                "retryBaseDelayMs", "retryMaxDelayMs", "conflictStrategy",
                "outboxRetentionDays"
            ]
        }
    },
    "required" : [ "summary", "dryRun", "version", "changed", "settings" ]
});
