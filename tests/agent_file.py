"""Reads what `agent.toml` compiles to into the vendor's own types. Prints every key that they do not know."""

import json
import sys

import pydantic
from elevenlabs.types import AgentPlatformSettingsRequestModel, BuiltInToolsInput, ConversationalConfig, PromptAgentApiModelInput


def unknown(value, path):
    if isinstance(value, pydantic.BaseModel):
        for name in value.model_extra or {}:
            yield f"{path}.{name}"
        for name in type(value).model_fields:
            yield from unknown(getattr(value, name), f"{path}.{name}")
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from unknown(item, f"{path}.{name}")
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from unknown(item, f"{path}[]")


body = json.load(sys.stdin)
conversation = body.pop("conversation_config")
prompt = conversation["agent"]["prompt"]
read = {
    "conversation_config": ConversationalConfig.model_validate(conversation),
    "prompt": PromptAgentApiModelInput.model_validate(prompt),
    "built_in_tools": BuiltInToolsInput.model_validate(prompt["built_in_tools"]),
    "platform_settings": AgentPlatformSettingsRequestModel.model_validate(body.pop("platform_settings")),
}
transfer = read["built_in_tools"].transfer_to_number.params.transfers[0].transfer_destination
json.dump(
    {
        "unknown": [key for name, model in read.items() for key in unknown(model, name)],
        "rest": sorted(body),
        "transfer": [type(transfer).__name__, transfer.phone_number],
    },
    sys.stdout,
)
