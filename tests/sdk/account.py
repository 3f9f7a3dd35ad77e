"""Makes every call of the account through the vendor's SDK and prints their names in order. For vendor_sdk_account.rs."""

import json
import sys

from elevenlabs import ElevenLabs
from elevenlabs.types import (
    AddKnowledgeBaseResponseModel,
    AgentConfig,
    BatchCallDetailedResponse,
    BatchCallResponse,
    ConversationalConfig,
    ConversationInitiationClientDataRequestInput,
    ConversationSignedUrlResponseModel,
    CreateAgentResponseModel,
    CreatePhoneNumberResponseModel,
    GetAgentResponseModel,
    GetAgentsPageResponseModel,
    GetConversationResponseModel,
    GetConversationsPageResponseModel,
    GetKnowledgeBaseListResponseModel,
    OutboundCallRecipient,
    PromptAgentApiModelOutput,
    SipTrunkOutboundCallResponse,
    TelephonyCallConfigInput,
    TwilioOutboundCallResponse,
)
from elevenlabs.conversational_ai.knowledge_base.documents.types import DocumentsGetResponse
from elevenlabs.conversational_ai.phone_numbers.types import PhoneNumbersCreateRequestBody_Twilio, PhoneNumbersListResponseItem
from pydantic import TypeAdapter

given = json.loads(sys.argv[1])
api = ElevenLabs(api_key=given["api_key"], base_url=given["base_url"]).conversational_ai
made = []


def parsed(name, model, value):
    """The SDK builds its types without checking them; pydantic checks that every required field is there and of its type."""
    dump = [one.model_dump(by_alias=True) for one in value] if isinstance(value, list) else value.model_dump(by_alias=True)
    TypeAdapter(model).validate_python(dump)
    made.append(name)
    return value


def data(**fields):
    return ConversationInitiationClientDataRequestInput(**fields)


parsed("phone_numbers.create", CreatePhoneNumberResponseModel, api.phone_numbers.create(request=PhoneNumbersCreateRequestBody_Twilio(
    phone_number="+15551230001", label="gladhand", sid="AC0123", token="twilio_token_0123456789",
)))
assert "<Response" in api.twilio.register_call(
    agent_id="agent_1", from_number="+15551230001", to_number="+15551230000", direction="outbound"
)
made.append("twilio.register_call")

agent = parsed("agents.create", CreateAgentResponseModel, api.agents.create(
    conversation_config=ConversationalConfig(agent=AgentConfig(
        first_message="Hi {{dispatcher_name}}", prompt=PromptAgentApiModelOutput(prompt="{{prompt}}"),
    )),
    name="gladhand",
)).agent_id
parsed("agents.get", GetAgentResponseModel, api.agents.get(agent))
parsed("agents.update", GetAgentResponseModel, api.agents.update(agent, name="n2"))
parsed("agents.list", GetAgentsPageResponseModel, api.agents.list(page_size=5))

documents = api.knowledge_base.documents
parsed("knowledge_base.documents.create_from_url", AddKnowledgeBaseResponseModel, documents.create_from_url(url="https://e.test/x"))
parsed("knowledge_base.documents.create_from_text", AddKnowledgeBaseResponseModel, documents.create_from_text(text="hello", name="n"))
document = parsed("knowledge_base.documents.create_from_file", AddKnowledgeBaseResponseModel, documents.create_from_file(
    file=("a.txt", b"hello", "text/plain"), name="n",
)).id
parsed("knowledge_base.list", GetKnowledgeBaseListResponseModel, api.knowledge_base.list(page_size=5))
parsed("knowledge_base.documents.get", DocumentsGetResponse, documents.get(document))
documents.delete(document, force=True)
made.append("knowledge_base.documents.delete")

parsed("phone_numbers.list", list[PhoneNumbersListResponseItem], api.phone_numbers.list())

call = parsed("twilio.outbound_call", TwilioOutboundCallResponse, api.twilio.outbound_call(
    agent_id="agent_5501k9czkv3qepy815bm59nt04qk",
    agent_phone_number_id="phnum_8401k9ndc950ewza733y8thmpbrx",
    to_number="+923282828885",
    conversation_initiation_client_data=data(dynamic_variables={
        "prompt": "I am seeing and alert that your truck and trailer are not together, are you with your trailer right now?",
        "transfer_to": "+923282828886",
        "call_sid": "call_1763569135457_s11ttbe7g",
        "dispatcher_name": "Aleena ",
    }),
))
parsed("twilio.outbound_call+all", TwilioOutboundCallResponse, api.twilio.outbound_call(
    agent_id="agent_1",
    agent_phone_number_id="phnum_1",
    to_number="+15551230000",
    conversation_initiation_client_data=data(
        user_id="gladhand:viol-1",
        dynamic_variables={"call_sid": "call_1", "n": 1, "f": 1.5, "b": True, "z": None},
        conversation_config_override={
            "agent": {"first_message": "hi", "language": "en"}, "conversation": {"max_duration_seconds": 300},
        },
        branch_id=None,
    ),
    call_recording_enabled=False,
    telephony_call_config=TelephonyCallConfigInput(ringing_timeout_secs=30),
))
parsed("sip_trunk.outbound_call", SipTrunkOutboundCallResponse, api.sip_trunk.outbound_call(
    agent_id="agent_1", agent_phone_number_id="phnum_1", to_number="+15551230000",
))

conversations = api.conversations
parsed("conversations.get_signed_url", ConversationSignedUrlResponseModel, conversations.get_signed_url(agent_id="agent_1"))
parsed("conversations.list", GetConversationsPageResponseModel, conversations.list(
    agent_id="agent_1", call_start_before_unix=1763569735, call_start_after_unix=1763569135, has_feedback_comment=False,
    user_id="gladhand:viol-1", dynamic_variable_params=["call_sid:eq:call_1", "x:in:a|b"], phone_number_ids=["phnum_1"],
    page_size=100, summary_mode="exclude", exclude_statuses=["done", "failed"], sort_direction="asc",
))
parsed("conversations.get", GetConversationResponseModel, conversations.get(call.conversation_id))
assert sum(len(chunk) for chunk in conversations.audio.get(call.conversation_id)) == given["recording"]
made.append("conversations.audio.get")
conversations.delete(call.conversation_id)
made.append("conversations.delete")

batch = parsed("batch_calls.create", BatchCallResponse, api.batch_calls.create(
    call_name="b", agent_id="agent_1", agent_phone_number_id="phnum_1",
    recipients=[OutboundCallRecipient(
        phone_number="+15551230000", conversation_initiation_client_data=data(dynamic_variables={"prompt": "p"}),
    )],
)).id
parsed("batch_calls.get", BatchCallDetailedResponse, api.batch_calls.get(batch))
api.agents.delete(agent)
made.append("agents.delete")
print(json.dumps(made))
