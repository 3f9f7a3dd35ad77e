"""Makes one call through the vendor's SDK, lists and reads it, and prints what the SDK understood. For vendor_sdk.rs."""

import json
import sys

from elevenlabs import ConversationInitiationClientDataRequestInput, ElevenLabs
from elevenlabs.types import GetConversationResponseModel, GetConversationsPageResponseModel

given = json.loads(sys.argv[1])
client = ElevenLabs(api_key=given["api_key"], base_url=given["base_url"])
agents = client.conversational_ai
numbers = {"twilio": agents.twilio, "sip-trunk": agents.sip_trunk}[given["route"]]
variables = given["dynamic_variables"]

placed = numbers.outbound_call(
    agent_id=given["agent_id"],
    agent_phone_number_id=given["agent_phone_number_id"],
    to_number=given["to_number"],
    conversation_initiation_client_data=ConversationInitiationClientDataRequestInput(
        user_id=given["user_id"], dynamic_variables=variables
    ),
)

page = agents.conversations.list(
    agent_id=given["agent_id"],
    user_id=given["user_id"],
    dynamic_variable_params=["call_sid:eq:" + variables["call_sid"]],
    page_size=100,
)
read = agents.conversations.get(placed.conversation_id)

# The SDK builds its types without checking them; pydantic checks that every required field is there and of its type.
for model, value in ((GetConversationsPageResponseModel, page), (GetConversationResponseModel, read)):
    assert type(value) is model, type(value)
    model.model_validate(value.model_dump(by_alias=True))

metadata = read.metadata
print(json.dumps({
    "placed": {"success": placed.success, "conversation_id": placed.conversation_id},
    "listed": [row.conversation_id for row in page.conversations],
    "read": {
        "status": read.status,
        "call_result": metadata.phone_call.call_result,
        "call_sid": read.conversation_initiation_client_data.dynamic_variables["call_sid"],
        "duration": metadata.call_duration_secs,
        "termination_reason": metadata.termination_reason,
        "user_messages": read.user_message_count,
        "summary": read.analysis.transcript_summary,
        "started": metadata.start_time_unix_secs,
    },
}))
