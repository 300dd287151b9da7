#include "core/backend/plan.h"

namespace phiscope {

int64_t Plan::parameters() const {
  int64_t count = 0;
  for (const PlanTensor& tensor : tensors) count += tensor.rows * tensor.columns;
  for (const PlanVector& vector : vectors) count += static_cast<int64_t>(vector.values.size());
  return count;
}

}  // namespace phiscope
