#pragma once
// Blocks and replies as JSON objects: what parent and worker exchange. Series travel in files (series_file.h), so `windows` and `items` are
// left out here.

#include "core/base/json.h"
#include "core/base/result.h"
#include "core/bench/distributions.h"
#include "core/bench/engine.h"

namespace phiscope::bench {

template <class T>
Json to_json(const T& value);

/// Missing keys keep their defaults, unknown keys are ignored. Errors: invalid_file naming key and type.
template <class T>
Result<T> from_json(const Json& json);

// For: OpenBlock, OpenReply, PrefillBlock, PrefillReply, GenerateBlock, GenerateReply, Windows, HiddenReply, ScoreReply, ItemsBlock,
// MemoryReply, Effective, MemoryReport, SamplingOptions.

}  // namespace phiscope::bench
