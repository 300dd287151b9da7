#pragma once
// Which windows of a text are computed and which of their positions are scored.

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "core/base/result.h"
#include "core/bench/engine.h"
#include "core/tokenizer/tokenizer.h"

namespace phiscope::bench {

/// Positions first..last (inclusive) are scored: position i predicts ids[i + 1].
struct TextWindow {
  std::vector<int32_t> ids;
  int64_t first = 0, last = 0;
  int64_t positions() const { return last - first + 1; }
};

struct TextWindows {
  std::vector<TextWindow> windows;
  int64_t text_tokens = 0;   // of the whole text
  int64_t positions = 0;     // scored, all windows
  int64_t scored_bytes = 0;  // UTF-8 bytes of the scored tokens
  bool bos = false;
  int64_t scored_from = 0;
};

/// stride 0: llama.cpp's rule: contiguous chunks, the first id of each replaced by `bos` when there is one, positions chunk/2 .. chunk-2 scored.
/// stride > 0: Hugging Face's sliding windows: a window begins every `stride` tokens and scores what no earlier window scored.
/// Errors: invalid_argument when the text holds less than 2 * chunk tokens or chunk or stride have no meaning, naming the numbers.
Result<std::vector<TextWindow>> cut_windows(std::span<const int32_t> text, int64_t chunk, int64_t stride, int64_t max_chunks,
                                            std::optional<int32_t> bos);

/// Reads and tokenizes the text once, special tokens as plain text; BOS where the tokenizer adds one.
Result<TextWindows> load_windows(const Windows& windows, const Tokenizer& tokenizer);

}  // namespace phiscope::bench
