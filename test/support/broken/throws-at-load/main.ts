throw new Error('broken on purpose');

export default {};
