#pragma once
// The limits that memory and arithmetic set, from plain counts (docs: roofline of measuring.md). No measurement, no device names.

#include "core/device/formats.h"
#include "core/device/model_shape.h"

namespace phiscope::device {

/// Bytes of all weights in a format; a tied embedding counts once.
double weight_bytes(const ModelShape& shape, const DeployFormat& format);
/// Bytes read for one generated token with `depth` positions in the cache: active body, head, keys and values (16 bits).
double bytes_per_token(const ModelShape& shape, const DeployFormat& format, int64_t depth);
/// Operations of a prompt of `tokens`: 2 for each active weight and token, attention, the head once.
double prefill_operations(const ModelShape& shape, int64_t tokens);
/// Scratch of a run: activations of 512 tokens, logits of one, 150 MB of program. An estimate of ours: engines differ.
double workspace_bytes(const ModelShape& shape);

}  // namespace phiscope::device
