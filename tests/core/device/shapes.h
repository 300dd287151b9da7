#pragma once
// Shapes of published models and rows of the format table, for tests.

#include <gtest/gtest.h>

#include <string_view>

#include "core/device/formats.h"
#include "core/device/model_shape.h"
#include "core/model/model.h"

namespace phiscope::device::test {

inline ModelShape published_shape(std::string_view name) {
  for (const SyntheticModel& known : synthetic_models())
    if (known.name == name) return shape_of(lower(known.config).value(), known.name);
  ADD_FAILURE() << "no published model " << name;
  return {};
}

inline DeployFormat format_of(std::string_view id) {
  for (const DeployFormat& format : deploy_formats())
    if (format.id == id) return format;
  ADD_FAILURE() << "no format " << id;
  return {};
}

}  // namespace phiscope::device::test
