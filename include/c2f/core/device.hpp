// c2f/core/device.hpp: whether a device is there.
//
//   c2f::detail::require_device(at::Device("cuda:1"));      // input_error: …
//
// Asked where a device enters (move_to, recipe.on, a predictor's options), since LibTorch's own errors come later and have stack frames.
#pragma once

#include <c2f/core/errors.hpp>

#include <c10/core/Device.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>

#include <string>

namespace c2f::detail {

/// input_error if LibTorch was built without that kind of device, or finds none with that index.
inline void require_device(at::Device device) {
  if (device.is_cpu() || device.is_meta()) return;
  if (!c10::impl::hasDeviceGuardImpl(device.type()))
    throw input_error("there is no device '" + device.str() + "' here: this LibTorch was built without " +
                      c10::DeviceTypeName(device.type()) + "; choose cpu, or link a LibTorch that has it");
  int const count = c10::impl::getDeviceGuardImpl(device.type())->deviceCount();
  if (device.index() >= count || count == 0)
    throw input_error("there is no device '" + device.str() + "' here: LibTorch finds " + std::to_string(count) +
                      " of that kind, numbered from 0; choose one of them, or cpu");
}

}  // namespace c2f::detail
