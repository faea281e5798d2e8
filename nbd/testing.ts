export { compareDevice, type DeviceModel, exerciseDevice, newModel, seededRandom } from "./device-model.ts";
export { type DeviceOperation, type Fault, faultyDevice, type FaultyDevice } from "./faulty-device.ts";
export { memoryDevice, type MemoryDevice, type MemoryDeviceOptions } from "./memory-device.ts";
