#pragma once

#include <string_view>
#include <vector>

#include "core/tokenizer/bpe_tokenizer.h"
#include "tests/fuzz/fuzz.h"

namespace phiscope::fuzz {

/// A tokenizer that was read can be used: ids lie inside the vocabulary, and whatever they are they decode.
inline void use_tokenizer(Result<TokenizerDefinition> definition, std::string_view file) {
  if (!definition) return check_error(definition.error(), file);
  const auto tokenizer = BpeTokenizer::create(*std::move(definition), {}, file);
  if (!tokenizer) return check_error(tokenizer.error(), file);
  const std::vector<int32_t> ids = (*tokenizer)->encode("abc <|x|> \xe4\xb8\xad\n  ab<u> 12", Specials::parse);
  for (const int32_t id : ids)
    if (id < 0 || id >= (*tokenizer)->vocab_size()) std::abort();
  (void)(*tokenizer)->decode(ids, true);
  (void)(*tokenizer)->decode(std::vector<int32_t>{-1, 0, 1, (*tokenizer)->vocab_size(), INT32_MAX}, false);
}

}  // namespace phiscope::fuzz
