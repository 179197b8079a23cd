/* mcp_tools.c -- the nine tools as agents see them.
 *
 * The texts are a contract: names, arguments and limits are those agents were
 * told of, and a test keeps their size. */
#include "mcp_app.h"

/* JSON as it is, as a string; ves/mcp.h joins texts that are written in parts.
 */
#define JSON(...) #__VA_ARGS__

const struct ves_mcp_tool mcp_tools[] = {
    {.name = "get_sync_status",
     .title = "Get sync status",
     .description = "Overall health of VES event sync: counts per status, last "
                    "push/pull, lag behind the sequencer, conflicts by type, "
                    "signature failures. Start here. Changes nothing. The "
                    "result's nextSteps names the calls to make; to see "
                    "individual events use list_outbox_events.",
     .input_schema = JSON({
         "type" : "object",
         "properties" : {
             "probe" : {
                 "type" : "boolean",
                 "description" : "Contact the sequencer (at most 2 s) to "
                                 "measure reachability and lag. false answers "
                                 "from local state only.",
                 "default" : true
             }
         },
         "additionalProperties" : false
     }),
     .output_schema = mcp_result_get_sync_status,
     .is_read_only = true,
     .is_idempotent = true,
     .is_open_world = true,
     .run = mcp_get_sync_status},
    {.name = "push_events",
     .title = "Push outbox events",
     .description =
         "Send pending outbox events (and failed ones due for retry) "
         "to the sequencer, in causal order, in signed batches. "
         "Accepted events become syncing with a sequencer receipt; "
         "run acknowledge_events to mark them synced. Safe to "
         "repeat: the sequencer drops duplicates by eventId, and no "
         "event is ever removed from the outbox. Use dryRun to "
         "preview.",
     .input_schema = JSON({
         "type" : "object",
         "properties" : {
             "limit" : {
                 "type" : "integer",
                 "description" : "Most events to push in this call",
                 "minimum" : 1,
                 "maximum" : 1000,
                 "default" : 100
             },
             "includeFailed" : {
                 "type" : "boolean",
                 "description" : "Also retry failed events now, ignoring their "
                                 "backoff timer",
                 "default" : true
             },
             "dryRun" : {
                 "type" : "boolean",
                 "description" : "Report what would be pushed; send nothing",
                 "default" : false
             }
         },
         "additionalProperties" : false
     }),
     .output_schema = mcp_result_push_events,
     .is_idempotent = true,
     .is_open_world = true,
     .run = mcp_push_events},
    {.name = "pull_events",
     .title = "Pull remote events",
     .description =
         "Fetch events from the sequencer after a position, verify "
         "each signature and the sequence, apply them in order, and "
         "detect conflicts with unsynced local events. Normally call "
         "with no arguments: it continues from the stored cursor. "
         "Events whose signature fails are quarantined, never "
         "applied. Repeat while hasMore is true.",
     .input_schema = JSON({
         "type" : "object",
         "properties" : {
             "since" : {
                 "type" : "string",
                 "description" :
                     "Pull events after this eventId (exclusive). Omit to "
                     "continue from the stored cursor; \"0\" re-reads from the "
                     "start (already applied events are skipped).",
                 "maxLength" : 64
             },
             "limit" : {
                 "type" : "integer",
                 "description" : "Most events to fetch in this call",
                 "minimum" : 1,
                 "maximum" : 1000,
                 "default" : 100
             },
             "detail" : {
                 "type" : "string",
                 "description" :
                     "Event detail to return: none (counts only), summary, or "
                     "full (with payloads; at most 20 events)",
                 "enum" : [ "none", "summary", "full" ],
                 "default" : "none"
             },
             "dryRun" : {
                 "type" : "boolean",
                 "description" :
                     "Say how many events wait; fetch and apply nothing",
                 "default" : false
             }
         },
         "additionalProperties" : false
     }),
     .output_schema = mcp_result_pull_events,
     .is_idempotent = true,
     .is_open_world = true,
     .run = mcp_pull_events},
    {.name = "list_outbox_events",
     .title = "List outbox events",
     .description =
         "List local outbox events, oldest first (causal order), "
         "filtered by status, type or aggregate; status conflict "
         "lists every open conflict, also of others' events. "
         "Summaries only; use get_outbox_event for payload, "
         "signature check and conflict details. Pass nextCursor back "
         "as cursor, with the same filters, for the next page.",
     .input_schema = JSON({
         "type" : "object",
         "properties" : {
             "status" : {
                 "type" : "string",
                 "description" : "Only events in this status; omit for all",
                 "enum" :
                     [ "pending", "syncing", "synced", "failed", "conflict" ]
             },
             "type" : {
                 "type" : "string",
                 "description" : "Only this event type",
                 "enum" : [
                     "order.created", "order.updated", "order.shipped",
                     "order.cancelled", "inventory.adjusted",
                     "inventory.reserved", "inventory.released",
                     "customer.created", "customer.updated", "payment.created",
                     "payment.completed", "payment.refunded", "return.created",
                     "return.approved", "return.rejected"
                 ]
             },
             "aggregateId" : {
                 "type" : "string",
                 "description" : "Only events of this order, item, customer, "
                                 "payment or return",
                 "maxLength" : 128
             },
             "limit" : {
                 "type" : "integer",
                 "description" : "Events per page",
                 "minimum" : 1,
                 "maximum" : 200,
                 "default" : 50
             },
             "cursor" : {
                 "type" : "string",
                 "description" : "nextCursor from the previous page",
                 "maxLength" : 256
             }
         },
         "additionalProperties" : false
     }),
     .output_schema = mcp_result_list_outbox_events,
     .is_read_only = true,
     .is_idempotent = true,
     .run = mcp_list_outbox_events},
    {.name = "get_outbox_event",
     .title = "Get outbox event",
     .description =
         "One outbox event in full: payload, signature check, "
         "delivery attempts, sequencer receipt, and, if it is in "
         "conflict, the competing remote event with a field-by-field "
         "comparison and a suggested strategy. Read this before "
         "resolve_conflict.",
     .input_schema = JSON({
         "type" : "object",
         "properties" : {
             "eventId" : {
                 "type" : "string",
                 "description" :
                     "The event's UUID, as list_outbox_events names it",
                 "format" : "uuid"
             }
         },
         "required" : ["eventId"],
         "additionalProperties" : false
     }),
     .output_schema = mcp_result_get_outbox_event,
     .is_read_only = true,
     .is_idempotent = true,
     .run = mcp_get_outbox_event},
    {.name = "acknowledge_events",
     .title = "Acknowledge events",
     .description = "Mark pushed events as synced. Only events holding a "
                    "verified sequencer receipt are marked; the rest are "
                    "reported and left as they are, so calling this can never "
                    "lose an event. With no arguments it acknowledges every "
                    "event that has a receipt.",
     .input_schema = JSON({
         "type" : "object",
         "properties" : {
             "eventIds" : {
                 "type" : "array",
                 "items" : {"type" : "string", "format" : "uuid"},
                 "description" :
                     "Acknowledge only these; omit for all with a receipt",
                 "minItems" : 1,
                 "maxItems" : 500
             },
             "dryRun" : {
                 "type" : "boolean",
                 "description" :
                     "Report what would be acknowledged; change nothing",
                 "default" : false
             }
         },
         "additionalProperties" : false
     }),
     .output_schema = mcp_result_acknowledge_events,
     .is_idempotent = true,
     .run = mcp_acknowledge_events},
    {.name = "resolve_conflict",
     .title = "Resolve conflict",
     .description =
         "Resolve one event in conflict. accept_local applies the "
         "local version on top of the remote one; accept_remote "
         "keeps the remote version; merge combines both when no "
         "field was changed on both sides, or applies mergedPayload; "
         "manual asks the user to choose (a form in clients that "
         "support it, otherwise it returns both versions to show "
         "them). Every choice is a new signed event; both sides stay "
         "in the history whatever is chosen. Read get_outbox_event "
         "first; when the right answer is a business decision, use "
         "manual.",
     .input_schema = JSON({
         "type" : "object",
         "properties" : {
             "eventId" : {
                 "type" : "string",
                 "description" :
                     "An event in conflict, as list_outbox_events names it",
                 "format" : "uuid"
             },
             "strategy" : {
                 "type" : "string",
                 "description" : "How to resolve",
                 "enum" : [ "accept_local", "accept_remote", "merge", "manual" ]
             },
             "mergedPayload" : {
                 "type" : "object",
                 "additionalProperties" : true,
                 "description" :
                     "With merge, or with manual as the user's own answer: "
                     "JSON merge patch against the entity's current state"
             },
             "expectedRemoteEventId" : {
                 "type" : "string",
                 "description" : "The remoteEventId you reviewed; the call is "
                                 "refused if a newer remote event has arrived",
                 "format" : "uuid"
             },
             "reason" : {
                 "type" : "string",
                 "description" : "Why, for the audit log",
                 "maxLength" : 500
             },
             "dryRun" : {
                 "type" : "boolean",
                 "description" : "Show the outcome; change nothing",
                 "default" : false
             }
         },
         "required" : [ "eventId", "strategy" ],
         "additionalProperties" : false
     }),
     .output_schema = mcp_result_resolve_conflict,
     .is_destructive = true,
     .is_idempotent = true,
     .run = mcp_resolve_conflict},
    {.name = "get_sync_settings",
     .title = "Get sync settings",
     .description =
         "Current sync settings with their version, plus fixed facts "
         "(sequencer URL, tenant, store, agent, key id, read-only "
         "mode) that cannot be changed from here. Secrets are never "
         "returned.",
     .input_schema = JSON({
         "type" : "object",
         "properties" : {},
         "additionalProperties" : false
     }),
     .output_schema = mcp_result_get_sync_settings,
     .is_read_only = true,
     .is_idempotent = true,
     .run = mcp_get_sync_settings},
    {.name = "set_sync_settings",
     .title = "Change sync settings",
     .description = "Change one or more sync settings; those you omit keep "
                    "their value. Applies at once and is recorded in the audit "
                    "log. Signature checking, keys and the sequencer address "
                    "cannot be changed here.",
     .input_schema = JSON({
         "type" : "object",
         "properties" : {
             "autoSync" : {
                 "type" : "boolean",
                 "description" : "Push and pull in the background"
             },
             "syncIntervalMs" : {
                 "type" : "integer",
                 "description" : "Background sync period",
                 "minimum" : 1000,
                 "maximum" : 86400000
             },
             "batchSize" : {
                 "type" : "integer",
                 "description" : "Events per push batch",
                 "minimum" : 1,
                 "maximum" : 1000
             },
             "maxRetries" : {
                 "type" : "integer",
                 "description" : "Attempts before an event stays failed",
                 "minimum" : 0,
                 "maximum" : 50
             },
             "retryBaseDelayMs" : {
                 "type" : "integer",
                 "description" :
                     "First retry delay; doubles each time, with jitter",
                 "minimum" : 100,
                 "maximum" : 60000
             },
             "retryMaxDelayMs" : {
                 "type" : "integer",
                 "description" : "Longest retry delay",
                 "minimum" : 1000,
                 "maximum" : 3600000
             },
             "conflictStrategy" : {
                 "type" : "string",
                 "description" : "Applied automatically to new conflicts; "
                                 "manual leaves them for a decision",
                 "enum" : [ "accept_local", "accept_remote", "merge", "manual" ]
             },
             "outboxRetentionDays" : {
                 "type" : "integer",
                 "description" : "Days to keep synced events in the outbox",
                 "minimum" : 1,
                 "maximum" : 3650
             },
             "expectedVersion" : {
                 "type" : "integer",
                 "description" :
                     "Refuse if settings changed since you read this version",
                 "minimum" : 0
             },
             "dryRun" : {
                 "type" : "boolean",
                 "description" : "Validate and show the change; save nothing",
                 "default" : false
             }
         },
         "additionalProperties" : false,
         "minProperties" : 1
     }),
     .output_schema = mcp_result_set_sync_settings,
     .is_destructive = true,
     .is_idempotent = true,
     .run = mcp_set_sync_settings},
    {.name = NULL}};
