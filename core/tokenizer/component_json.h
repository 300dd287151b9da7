#pragma once
// Normalizer, pre-tokenizer, post-processor and decoder of tokenizer.json: one row a kind in component_json.cpp.

#include <string_view>

#include "core/base/json.h"
#include "core/base/result.h"
#include "core/tokenizer/definition.h"

namespace phiscope {

/// Fills the parts of `out` that come from the components of a tokenizer.json's root. Errors: unsupported naming the component and its place.
Status read_components(const Json& root, std::string_view where, TokenizerDefinition& out);

}  // namespace phiscope
