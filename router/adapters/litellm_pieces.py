"""The pieces of litellm that the lean wire is made of, in one place, so that a release that moves one is met here.

Importing this imports litellm: only a lean call does, once litellm is loaded.
"""

from importlib import import_module

from router.adapters.litellm_env import litellm

main, utils = litellm.main, litellm.utils
_http = import_module("litellm.llms.custom_httpx.http_handler")

BaseConfig = import_module("litellm.llms.base_llm.chat.transformation").BaseConfig
CustomStreamWrapper = litellm.CustomStreamWrapper
LlmProviders = utils.LlmProviders
ModelResponse = litellm.ModelResponse
OpenAI = litellm.OpenAIGPTConfig
OpenAIChunks = import_module(
    "litellm.llms.openai.chat.gpt_transformation"
).OpenAIChatCompletionStreamingHandler
StreamingChoices = utils.StreamingChoices
Usage = litellm.Usage

map_finish_reason = import_module("litellm.litellm_core_utils.core_helpers").map_finish_reason
get_llm_provider = litellm.get_llm_provider
"""What is before the slash of a model's name, its address and its key."""

get_litellm_params = main.get_litellm_params
responses_api_bridge_check = main.responses_api_bridge_check
is_claude_tool_target = main._is_claude_tool_target
drop_anthropic_only_tool_keys = main._drop_anthropic_only_tool_keys
get_stream_options = main.openai_chat_completions.get_stream_options

get_non_default_completion_params = utils.get_non_default_completion_params
get_optional_params = utils.get_optional_params
get_provider_chat_config = utils.ProviderConfigManager.get_provider_chat_config
validate_and_fix_openai_messages = utils.validate_and_fix_openai_messages
validate_and_fix_openai_tools = utils.validate_and_fix_openai_tools
validate_chat_completion_tool_choice = utils.validate_chat_completion_tool_choice
validate_openai_optional_params = utils.validate_openai_optional_params

tls = _http.get_ssl_configuration
"""litellm's setting for certificates: a context, or False where its user asked for none."""

user_agent = _http.default_user_agent

ChatCompletion = import_module("openai.types.chat").ChatCompletion
construct_type = import_module("openai._models").construct_type
"""What the openai SDK makes of JSON: below litellm, for the kinds that go through it."""

AnthropicConfig = litellm.AnthropicConfig
AnthropicChunks = import_module("litellm.llms.anthropic.chat.handler").ModelResponseIterator
TOOL_NAMES = import_module("litellm.llms.anthropic.chat.transformation").ANTHROPIC_TOOL_NAME_REVERSE_MAP_KEY
update_request_with_filtered_beta = import_module(
    "litellm.anthropic_beta_headers_manager"
).update_request_with_filtered_beta

_gemini = import_module("litellm.llms.vertex_ai.gemini.vertex_and_google_ai_studio_gemini")
VertexGeminiConfig = _gemini.VertexGeminiConfig
GeminiChunks = _gemini.ModelResponseIterator
gemini_chat = _gemini.VertexLLM
gemini_body = import_module("litellm.llms.vertex_ai.gemini.transformation").transform_request_body
